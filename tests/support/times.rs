//! How long anything in a test may take: the one table of all limits.
//!
//! A limit guards against hanging and is no measurement. It is at least ten times what an idle machine needs, so that
//! a test fails because its claim is false and not because the machine has other things to do. A claim about time is
//! a lower bound, or is shown by something that would last for longer than [`AT_ONCE`].

use std::time::Duration;

/// When a test gives up on what it waits for.
pub const HANGS: Duration = Duration::from_secs(400);

/// What waits for nobody ends within this. Whatever it must not wait for lasts for [`FOREVER`].
pub const AT_ONCE: Duration = Duration::from_secs(120);

/// What nobody waits for to its end.
pub const FOREVER: Duration = Duration::from_secs(3_600);

/// How long a broker may try what is meant to succeed, in seconds.
pub const PATIENCE: u64 = 300;

/// The patience of a broker that is meant to lose it, in seconds: long enough for several tries before.
pub const SHORT: u64 = 15;

/// How far two readings of a clock may be apart that a test takes one after the other, in seconds.
pub const APART: u64 = 120;

/// When a boot of a machine is given up with all its scenarios, in seconds. `tests/machine/boot` and `vm` read this line.
pub const MACHINE: u64 = 3_000;

/// When GARM is given up that has to see by itself what became of its instances. It looks every five minutes, at runners of
/// which it has heard nothing for as long.
pub const REAPS: Duration = Duration::from_secs(1_500);

/// As the stand-ins are told it.
pub fn millis(time: Duration) -> u64 {
    time.as_secs() * 1_000
}
