// Pragmas of the two synthesizers, each seen by its own tool only; a C++ compiler sees neither.
//
// VITIS(HLS ...) stands inside the function or the loop that it governs. BAMBU(HLS ...) stands before it, except that
// `dataflow` stands inside for both. Vitis HLS defines __SYNTHESIS__, PandA-Bambu defines __BAMBU__. Macros among the
// arguments are expanded.

#ifndef FIRST_EXIT_PRAGMAS_H
#define FIRST_EXIT_PRAGMAS_H

#define PRAGMA_OF_TEXT(...) _Pragma(#__VA_ARGS__)

#if defined(__BAMBU__)
#define BAMBU(...) PRAGMA_OF_TEXT(__VA_ARGS__)
#define VITIS(...)
#elif defined(__SYNTHESIS__)
#define BAMBU(...)
#define VITIS(...) PRAGMA_OF_TEXT(__VA_ARGS__)
#else
#define BAMBU(...)
#define VITIS(...)
#endif

#endif  // FIRST_EXIT_PRAGMAS_H
