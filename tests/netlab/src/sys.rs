//! Everything that the standard library does not know of the kernel: namespaces, TUN devices, interfaces, precise
//! waits. All `unsafe` of this program is here, each behind a function that cannot be misused.
#![allow(unsafe_code, reason = "plain system calls, each with owned values")]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::mem::zeroed;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::ptr::{copy_nonoverlapping, null};
use std::time::Duration;

/// Packets that the device may hold: so many that only the link's own queue decides what is dropped.
const DEVICE_QUEUE: libc::c_int = 20_000;

fn check(code: libc::c_int) -> Result<libc::c_int> {
    if code < 0 { Err(Error::last_os_error()) } else { Ok(code) }
}

fn text(path: &Path) -> Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Puts the calling thread, and it alone, into a new network namespace, and gives that a name in the file system.
pub fn new_namespace(name: &Path) -> Result<()> {
    File::create(name)?;
    let target = text(name)?;
    // SAFETY: unshare takes a number; mount gets two live C strings and otherwise null, as a bind mount may.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNET))?;
        let me = c"/proc/thread-self/ns/net".as_ptr();
        check(libc::mount(me, target.as_ptr(), null(), libc::MS_BIND, null()))?;
    }
    Ok(())
}

/// Puts the calling thread into the network namespace of that name.
pub fn enter_namespace(name: &Path) -> Result<()> {
    let namespace = File::open(name)?;
    // SAFETY: the descriptor is open across the call.
    check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Takes the name from a namespace, which ends with its last process. No such name: nothing to do.
pub fn forget_namespace(name: &Path) {
    if let Ok(target) = text(name) {
        // SAFETY: a live C string. That nothing is mounted there is no error here.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    }
    std::fs::remove_file(name).ok();
}

/// Ends a process at once. One that is gone already: nothing to do.
pub fn kill(process: u32) {
    if let Ok(process) = libc::pid_t::try_from(process) {
        // SAFETY: takes numbers; a positive one means one process.
        unsafe { libc::kill(process, libc::SIGKILL) };
    }
}

/// Waits until nobody else holds the lock on this file, and holds it until the result is dropped.
pub fn lock(path: &Path) -> Result<File> {
    let file = File::create(path)?;
    file.lock()?;
    Ok(file)
}

/// A TUN device of this name in the thread's namespace, down, not blocking; whole IP packets go in and out.
pub fn tun(name: &str) -> Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
    let device = OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/net/tun")?;
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = short(libc::IFF_TUN | libc::IFF_NO_PI);
    // SAFETY: TUNSETIFF reads a filled ifreq.
    check(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &request) })?;
    Ok(device)
}

/// An interface of the thread's namespace, to be set up.
pub struct Interface {
    name: &'static str,
    socket: OwnedFd,
}

impl Interface {
    /// The one of this name.
    pub fn new(name: &'static str) -> Result<Self> {
        // SAFETY: the new descriptor is owned from here on.
        let socket = unsafe {
            OwnedFd::from_raw_fd(check(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?)
        };
        Ok(Self { name, socket })
    }

    /// Gives it an address in a network of 256.
    pub fn set_address(&self, address: Ipv4Addr) -> Result<()> {
        let values = [(address, libc::SIOCSIFADDR), (Ipv4Addr::new(255, 255, 255, 0), libc::SIOCSIFNETMASK)];
        for (value, code) in values {
            let mut request = request(self.name);
            // SAFETY: a sockaddr_in of zeros is valid, and it is no larger than the union that it is copied into.
            unsafe {
                let mut socket: libc::sockaddr_in = zeroed();
                socket.sin_family = libc::sa_family_t::try_from(libc::AF_INET).unwrap_or_default();
                socket.sin_addr.s_addr = u32::from_ne_bytes(value.octets());
                let room = (&raw mut request.ifr_ifru.ifru_addr).cast::<libc::sockaddr_in>();
                copy_nonoverlapping(&raw const socket, room, 1);
            }
            self.control(code, &mut request)?;
        }
        Ok(())
    }

    /// Sets its MTU, and makes its own queue deep.
    pub fn set_mtu(&self, mtu: u16) -> Result<()> {
        let mut sized = request(self.name);
        sized.ifr_ifru.ifru_mtu = libc::c_int::from(mtu);
        self.control(libc::SIOCSIFMTU, &mut sized)?;
        let mut queued = request(self.name);
        queued.ifr_ifru.ifru_metric = DEVICE_QUEUE;
        self.control(libc::SIOCSIFTXQLEN, &mut queued)
    }

    /// Starts it.
    pub fn start(&self) -> Result<()> {
        let mut request = request(self.name);
        self.control(libc::SIOCGIFFLAGS, &mut request)?;
        // SAFETY: the call before filled the flags in.
        unsafe { request.ifr_ifru.ifru_flags |= short(libc::IFF_UP | libc::IFF_RUNNING) };
        self.control(libc::SIOCSIFFLAGS, &mut request)
    }

    fn control(&self, code: libc::c_ulong, request: &mut libc::ifreq) -> Result<()> {
        // SAFETY: each of the codes used reads or writes one ifreq.
        check(unsafe { libc::ioctl(self.socket.as_raw_fd(), code, &raw mut *request) })?;
        Ok(())
    }
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: an ifreq of zeros is valid.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let room = request.ifr_name.len() - 1;
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes().take(room)) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    request
}

/// Flags of interfaces fit: the kernel's own field is this wide.
fn short(flags: libc::c_int) -> libc::c_short {
    libc::c_short::try_from(flags).unwrap_or_default()
}

/// From now on the signals that end a program are read from the result instead. Call it before threads start.
pub fn end_signals() -> Result<File> {
    // SAFETY: the set is initialised by the first call; the new descriptor is owned from here on.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()))?;
        Ok(File::from_raw_fd(check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?))
    }
}

/// Lets the thread's waits end within a microsecond of their time instead of fifty.
pub fn wake_precisely() {
    // SAFETY: takes numbers. Not granted: the delay is a little less precise.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000) };
}

/// Waits until one of the descriptors has something to read, or ended, or the time is over; says which have.
pub fn wait<const N: usize>(descriptors: [BorrowedFd<'_>; N], within: Duration) -> Result<[bool; N]> {
    let mut polled = descriptors.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(within.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(i32::try_from(within.subsec_nanos()).unwrap_or_default()),
    };
    let count = libc::nfds_t::try_from(N).unwrap_or_default();
    // SAFETY: array and time live across the call; no signal mask is passed.
    match check(unsafe { libc::ppoll(polled.as_mut_ptr(), count, &raw const time, null()) }) {
        Ok(_) => Ok(polled.map(|one| one.revents != 0)),
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok([false; N]),
        Err(error) => Err(error),
    }
}
