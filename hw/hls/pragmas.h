// VITIS(HLS ...) is a pragma of Vitis HLS, which defines __SYNTHESIS__; a C++ compiler sees none. It stands inside the
// function or the loop that it governs. Macros among its arguments are expanded, as they are not in a plain #pragma.

#ifndef FIRST_EXIT_PRAGMAS_H
#define FIRST_EXIT_PRAGMAS_H

#define PRAGMA_OF_TEXT(...) _Pragma(#__VA_ARGS__)

#if defined(__SYNTHESIS__)
#define VITIS(...) PRAGMA_OF_TEXT(__VA_ARGS__)
#else
#define VITIS(...)
#endif

#endif  // FIRST_EXIT_PRAGMAS_H
