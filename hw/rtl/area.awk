# Cells of a flattened `synth_xilinx`, summed up as a data sheet counts them. An inverter that Yosys has left is a
# look-up table: a slice has no other.
# Older versions of Yosys print the cell before its count, newer ones behind it.
{ cell = $1; count = $2 }
$1 ~ /^[0-9]+$/ { cell = $2; count = $1 }

cell ~ /^(LUT[1-6]|INV)$/ { logic += count }
cell ~ /^(SRL16E|SRLC16E|SRLC32E|RAM32X1[SD]|RAM64X1[SD]|RAM32M|RAM64M|RAM128X1[SD])$/ { memory += luts(cell) * count }
cell ~ /^FD[A-Z]+$/ { registers += count }
cell == "DSP48E1" { multipliers += count }
cell == "RAMB18E1" { blocks += count / 2 }
cell == "RAMB36E1" { blocks += count }

function luts(cell) {
  if (cell ~ /^(RAM32M|RAM64M|RAM128X1D)$/) return 4
  return cell ~ /^(RAM32X1D|RAM64X1D|RAM128X1S)$/ ? 2 : 1
}

END {
  if (!logic) { print "no cells found" > "/dev/stderr"; exit 1 }
  printf "LUT  %7d (%d logic, %d memory)\nFF   %7d\nDSP  %7d\nBRAM %9.1f (36 Kbit)\n", \
      logic + memory, logic, memory, registers, multipliers, blocks
}
