#!/bin/sh
# prove.sh MODULE STEPS INDUCTION_STEPS [PARAMETER=VALUE...]: the properties of MODULE.svh hold of MODULE, from its
# reset on for STEPS clocks, and by induction for ever, unless INDUCTION_STEPS is 0. Yosys and yosys-smtbmc as YOSYS and
# SMTBMC; the solver is z3.
set -eu
module=$1 steps=$2 induction=$3
shift 3
cd "$(dirname "$0")/.."
folder=${BUILD:-../build}/proofs
mkdir -p "$folder"
parameters=
for setting; do parameters="$parameters -set ${setting%=*} ${setting#*=}"; done
case $module in places) sources=fifo.sv ;; *) sources=$module.sv ;; esac
if ! grep -q "formal/$module.svh" "$sources"; then  # what does not include its properties gets them at its end
  sed "/^module $module /,/^endmodule/s|^endmodule|\`include \"formal/$module.svh\"\n&|" "$sources" >"$folder/$module.sv"
  sources="$folder/$module.sv"
fi
case $module in kernel_registers | unframe | frame | checksum | first_exit)  # constants of a model
  sed -n '/^package/,/^endpackage/p' "${BUILD:-../build}/rtl-reference/first_exit_core.v" >"$folder/package.sv"
  sources="$folder/package.sv $sources"
  ;;
esac
case $module in kernel_registers) sources="$sources axi_lite_slave.sv" ;; esac
case $module in axi_dma) sources="$sources dma_registers.sv axi_lite_slave.sv formal/dma_engines.sv" ;; esac
case $module in stream_fifo) sources="$sources formal/fifo.sv" ;; esac
any=  # modules of which only the ports are taken: what comes out of them is anything
case $module in first_exit)
  for file in unframe frame skid_buffer core kernel_registers checksum; do sources="$sources $file.sv"; done
  any="first_exit_core kernel_registers checksum"
  ;;
esac
case $module in dma_send | dma_receive) sources="$sources skid_buffer.sv formal/stream_fifo.sv" ;; esac
model() {
  "${YOSYS:-yosys}" -q -p "read_verilog -formal -sv -D PROVE_$module $1 $sources; \
    ${parameters:+chparam $parameters $module;} hierarchy -top $module; proc; \
    ${any:+cutpoint $any;} flatten; setundef -undriven -anyseq; prep -top $module; async2sync; dffunmap; opt_clean; \
    write_smt2 -wires $2"
}
check() {
  log=$folder/$module-$1.log
  smt2=$2
  shift 2
  if "${SMTBMC:-yosys-smtbmc}" -s z3 --noprogress "$@" "$smt2" >"$log" 2>&1; then return; fi
  cat "$log"
  echo "$module: not proved; the trace is beside $log" >&2
  exit 1
}
model '' "$folder/$module.smt2"
check bounded "$folder/$module.smt2" -t "$steps" --dump-vcd "$folder/$module.vcd"
if [ "$induction" = 0 ]; then
  echo "$module: holds for $steps clocks"
  exit
fi
model '-D INDUCTION' "$folder/$module-induction.smt2"
check induction "$folder/$module-induction.smt2" -i -t "$induction" --dump-vcd "$folder/$module-induction.vcd"
echo "$module: holds for $steps clocks, and by induction over $induction"
