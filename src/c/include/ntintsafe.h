/* ntintsafe.h: nothing of it is needed here. */
#include <ntdef.h>
