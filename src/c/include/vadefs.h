/* vadefs.h: nothing of it is needed here. */
#include <string.h>
