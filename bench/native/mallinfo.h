// Debian's Emscripten headers declare no `struct mallinfo`, which emmalloc.c fills. Nothing here asks for it.
struct mallinfo {
  int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};
