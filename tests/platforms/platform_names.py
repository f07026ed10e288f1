"""The names and error numbers of the emulated platforms, as Python, Microsoft and Apple document them."""

from __future__ import annotations

_LINUX_ONLY_OS = """
memfd_create sched_getaffinity sched_setaffinity posix_fadvise posix_fallocate pidfd_open eventfd eventfd_read
eventfd_write splice setns unshare O_PATH O_TMPFILE O_DIRECT O_NOATIME getrandom copy_file_range fdatasync
POSIX_FADV_SEQUENTIAL POSIX_FADV_WILLNEED P_PIDFD
"""
_POSIX_ONLY_OS = """
fork forkpty register_at_fork sendfile pread pwrite readv writev preadv pwritev getuid geteuid getgid getegid
getgroups setuid setgid seteuid setegid setgroups initgroups getresuid getresgid setresuid setresgid getpgid
getpgrp setpgid setsid getsid killpg nice getpriority setpriority sysconf confstr statvfs fstatvfs fchmod
fchown chown lchown mkfifo mknod uname getloadavg wait wait3 wait4 waitid WNOHANG WUNTRACED WCONTINUED
WIFEXITED WIFSIGNALED WEXITSTATUS WTERMSIG posix_spawn posix_spawnp POSIX_SPAWN_OPEN posix_openpt openpty
ttyname tcgetpgrp tcsetpgrp ctermid lockf sched_yield chroot pipe2 set_blocking get_blocking fpathconf
pathconf O_CLOEXEC O_NONBLOCK O_NOCTTY O_SYNC O_DSYNC O_NDELAY O_ASYNC O_DIRECTORY O_NOFOLLOW sync getlogin_r
"""
_LINUX_ONLY_SOCKET = """
SOCK_NONBLOCK SOCK_CLOEXEC SO_PEERCRED SO_DOMAIN SO_PROTOCOL SO_MARK SO_PRIORITY SO_INCOMING_CPU TCP_INFO
TCP_QUICKACK TCP_CORK TCP_DEFER_ACCEPT TCP_USER_TIMEOUT TCP_LINGER2 TCP_SYNCNT AF_NETLINK AF_PACKET AF_ALG
AF_VSOCK MSG_NOSIGNAL
"""
_POSIX_ONLY_SOCKET = "AF_UNIX SO_REUSEPORT SCM_RIGHTS CMSG_LEN CMSG_SPACE MSG_DONTWAIT send_fds recv_fds"

LACKS_DARWIN: dict[str, frozenset[str]] = {
    "os": frozenset(_LINUX_ONLY_OS.split()),
    "socket": frozenset(_LINUX_ONLY_SOCKET.split()),
    "select": frozenset(
        {"epoll", "POLLRDHUP", *(f"EPOLL{end}" for end in ("IN", "OUT", "ERR", "HUP", "RDHUP"))}
    ),
    "signal": frozenset({"sigtimedwait", "sigwaitinfo", "SIGPOLL", "SIGPWR", "SIGRTMIN", "SIGRTMAX"}),
    "fcntl": frozenset({"F_SETSIG", "F_GETSIG", "F_SETPIPE_SZ", "F_ADD_SEALS"}),
    "time": frozenset({"CLOCK_BOOTTIME", "CLOCK_TAI"}),
}
LACKS_WINDOWS: dict[str, frozenset[str]] = {
    "os": LACKS_DARWIN["os"] | frozenset(_POSIX_ONLY_OS.split()),
    "socket": LACKS_DARWIN["socket"] | frozenset(_POSIX_ONLY_SOCKET.split()),
    "select": LACKS_DARWIN["select"]
    | {"poll", "PIPE_BUF", "POLLIN", "POLLOUT", "POLLERR", "POLLHUP", "POLLNVAL", "POLLPRI"},
    "signal": LACKS_DARWIN["signal"]
    | {"alarm", "setitimer", "getitimer", "pause", "pthread_kill", "pthread_sigmask", "sigpending", "sigwait"}
    | {"siginterrupt"},
    "time": LACKS_DARWIN["time"]
    | {"clock_gettime", "clock_gettime_ns", "clock_getres", "CLOCK_MONOTONIC", "CLOCK_REALTIME", "tzset"},
}
WINDOWS_SIGNALS = frozenset("SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIGBREAK SIG_DFL SIG_IGN".split())
#: uvloop is an extension for one system; it does not support Windows.
MISSING_MODULES = {
    "darwin": frozenset({"uvloop"}),
    "win32": frozenset("uvloop fcntl pwd grp resource termios tty pty posix syslog readline".split()),
}

#: Windows Sockets Error Codes, without the prefix WSA.
WINDOWS_ERRORS = {
    "EWOULDBLOCK": 10035,
    "EINPROGRESS": 10036,
    "EALREADY": 10037,
    "ENOTSOCK": 10038,
    "EMSGSIZE": 10040,
    "EPROTOTYPE": 10041,
    "ENOPROTOOPT": 10042,
    "EPROTONOSUPPORT": 10043,
    "EOPNOTSUPP": 10045,
    "EAFNOSUPPORT": 10047,
    "EADDRINUSE": 10048,
    "EADDRNOTAVAIL": 10049,
    "ENETDOWN": 10050,
    "ENETUNREACH": 10051,
    "ENETRESET": 10052,
    "ECONNABORTED": 10053,
    "ECONNRESET": 10054,
    "ENOBUFS": 10055,
    "EISCONN": 10056,
    "ENOTCONN": 10057,
    "ESHUTDOWN": 10058,
    "ETIMEDOUT": 10060,
    "ECONNREFUSED": 10061,
    "EHOSTDOWN": 10064,
    "EHOSTUNREACH": 10065,
}
#: errno.h of macOS, where it differs from Linux.
DARWIN_ERRORS = {
    "EAGAIN": 35,
    "EWOULDBLOCK": 35,
    "EINPROGRESS": 36,
    "EALREADY": 37,
    "ENOTSOCK": 38,
    "EMSGSIZE": 40,
    "EPROTOTYPE": 41,
    "ENOPROTOOPT": 42,
    "EPROTONOSUPPORT": 43,
    "ENOTSUP": 45,
    "EAFNOSUPPORT": 47,
    "EADDRINUSE": 48,
    "EADDRNOTAVAIL": 49,
    "ENETDOWN": 50,
    "ENETUNREACH": 51,
    "ENETRESET": 52,
    "ECONNABORTED": 53,
    "ECONNRESET": 54,
    "ENOBUFS": 55,
    "EISCONN": 56,
    "ENOTCONN": 57,
    "ESHUTDOWN": 58,
    "ETIMEDOUT": 60,
    "ECONNREFUSED": 61,
    "EHOSTDOWN": 64,
    "EHOSTUNREACH": 65,
    "EOPNOTSUPP": 102,
}
