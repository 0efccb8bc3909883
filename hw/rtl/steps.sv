// Counts the steps of a batch: IMAGE_STEPS for each image, then LAG that bring out what the process still holds. What
// it tells of the next step is in registers. The number of images is there a clock before `start`, and stays.
module steps #(
    parameter IMAGE_STEPS = 49,  // 8 or more: an image's end is known some clocks late
    parameter LAG = 0) (
    input wire clock, input wire reset, input wire start, input wire [31:0] num_images, input wire step,
    output reg active,              // a step is left
    output reg reading,             // it is an image's
    output reg filled,              // LAG steps have gone before it
    output reg image_ends,          // it is an image's last
    output reg [7:0] image_step,    // its number in its image
    output wire reading_after, output wire filled_after);  // of the step behind it
  reg [31:0] images_left;
  reg some_images, last_image, image_over;
  reg [7:0] leading, trailing;
  reg last_leading, last_trailing;

  assign reading_after = reading && !(image_ends && last_image);
  assign filled_after = filled || last_leading;

  always @(posedge clock) begin
    some_images <= num_images != 0;
    last_image <= images_left == 1;
    image_over <= step && reading && image_ends;
    if (image_over) images_left <= images_left - 1'b1;
    if (reset) begin
      active <= 0;
      reading <= 0;
    end else if (start) begin
      images_left <= num_images;
      active <= some_images;
      reading <= some_images;
      filled <= LAG == 0;
      image_ends <= 0;
      image_step <= 0;
      leading <= LAG;
      trailing <= LAG;
      last_leading <= LAG == 1;
      last_trailing <= LAG == 1;
    end else if (step) begin
      image_step <= image_ends ? 8'd0 : image_step + 1'b1;
      image_ends <= image_step == IMAGE_STEPS - 2;
      reading <= reading_after;
      active <= reading ? reading_after || LAG != 0 : !last_trailing;
      filled <= filled_after;
      if (!filled) leading <= leading - 1'b1;
      if (!filled) last_leading <= leading == 2;
      if (!reading) trailing <= trailing - 1'b1;
      if (!reading) last_trailing <= trailing == 2;
    end
  end
endmodule
