/* A clock that is ahead: preloaded into the programs of a build step, so that they believe that it is another day.
 *
 * It needs no library: programs of glibc and of musl can have it. `kezuri_shift` is written into the file before it is
 * mounted (its mark is looked for), in seconds. Built by:
 *   gcc -O2 -fPIC -shared -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
 *       -fcf-protection=none -Wl,--hash-style=both,-z,noseparate-code,-z,max-page-size=4096,--build-id=none -s
 */
typedef long i64;
typedef unsigned long u64;
struct spec { i64 sec, nsec; };
struct val { i64 sec, usec; };

volatile const struct { char mark[16]; i64 shift; } kezuri_shift __attribute__((used)) = {"kezuri's clock:", 0};

static inline i64 call(i64 number, i64 a, i64 b, i64 c, i64 d) {
#if defined(__x86_64__)
    i64 result;
    register i64 r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register i64 x8 __asm__("x8") = number;
    register i64 x0 __asm__("x0") = a;
    register i64 x1 __asm__("x1") = b;
    register i64 x2 __asm__("x2") = c;
    register i64 x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#endif
}
#if defined(__x86_64__)
enum { GETTIME = 228 };
#else
enum { GETTIME = 113 };
#endif

extern int *__errno_location(void) __attribute__((weak));
extern void *dlsym(void *, const char *) __attribute__((weak));

int clock_gettime(int clock, struct spec *to) {
    i64 result = call(GETTIME, clock, (i64)to, 0, 0);
    if (result < 0) {
        if (__errno_location) *__errno_location() = (int)-result;
        return -1;
    }
    /* CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI */
    if (clock == 0 || clock == 5 || clock == 11) to->sec += kezuri_shift.shift;
    return 0;
}
int __clock_gettime(int clock, struct spec *to) { return clock_gettime(clock, to); }
int gettimeofday(struct val *to, void *zone) {
    struct spec now;
    clock_gettime(0, &now);
    if (to) { to->sec = now.sec; to->usec = now.nsec / 1000; }
    if (zone) { ((int *)zone)[0] = 0; ((int *)zone)[1] = 0; }
    return 0;
}
i64 time(i64 *to) {
    struct spec now;
    clock_gettime(0, &now);
    if (to) *to = now.sec;
    return now.sec;
}
int timespec_get(struct spec *to, int base) {
    if (base != 1) return 0;
    clock_gettime(0, to);
    return 1;
}

/* Who waits until a moment has worked it out by the clock above: the kernel is told the moment by its own. Moments of
 * other clocks are those since the machine was started, and small. */
static const struct spec *told(const struct spec *until, struct spec *own) {
    if (!until || until->sec < 1000000000) return until;
    own->sec = until->sec - kezuri_shift.shift;
    own->nsec = until->nsec;
    return own;
}
#define NEXT(name) (dlsym ? dlsym((void *)-1L, name) : (void *)0)
typedef int (*wait2)(void *, const struct spec *);
typedef int (*wait3)(void *, void *, const struct spec *);
#define TWO(name)                                                        \
    int name(void *a, const struct spec *until) {                        \
        static wait2 next;                                               \
        struct spec own;                                                 \
        if (!next) next = (wait2)NEXT(#name);                            \
        return next ? next(a, told(until, &own)) : 38;                   \
    }
TWO(pthread_mutex_timedlock)
TWO(pthread_rwlock_timedrdlock)
TWO(pthread_rwlock_timedwrlock)
TWO(mtx_timedlock)
TWO(sem_timedwait)
int pthread_cond_timedwait(void *a, void *b, const struct spec *until) {
    static wait3 next;
    struct spec own;
    if (!next) next = (wait3)NEXT("pthread_cond_timedwait");
    return next ? next(a, b, told(until, &own)) : 38;
}
int cnd_timedwait(void *a, void *b, const struct spec *until) {
    static wait3 next;
    struct spec own;
    if (!next) next = (wait3)NEXT("cnd_timedwait");
    return next ? next(a, b, told(until, &own)) : 38;
}
