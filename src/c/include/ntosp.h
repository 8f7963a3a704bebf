/* ntosp.h: everything is in wdm.h. */
#include <wdm.h>
