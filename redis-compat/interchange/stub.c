#include "run.h"
void run_access(struct run *r)
{
    (void)r;
}
void run_old(struct run *r)
{
    (void)r;
}
void run_hostile(struct run *r)
{
    (void)r;
}
