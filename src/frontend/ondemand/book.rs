//! The orders on disk: a file each, in a directory that only root can enter, beside a ledger of their registrations.
//!
//! A file appears complete or not at all, and before what it speaks of is done. What cannot be read is never taken for
//! absent: its label may have been served and its machine may run. So nothing new begins while there is such a file.
//!
//! The ledger is one for all orders and not that of the host: a pass would look for units of its entries, and a registration
//! that is owed outlives its order's file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::Uid;

use super::label::Key;
use super::order::Order;
use crate::ledger::Ledger;
use crate::sys::{Dir, EntryKind, Lock};

/// The directory of the orders.
const ORDERS: &str = "orders";
/// That of their registrations.
pub const LEDGER: &str = "registrations";
/// Held by whoever changes anything.
const LOCK: &str = "desk.lock";
const ENDING: &str = ".json";
/// No order says as much as this.
const MAX_BYTES: u64 = 64 << 10;

/// All orders of a host.
#[derive(Debug)]
pub struct Book {
    home: Dir,
    orders: Dir,
    ledger: Ledger,
}

/// What the files say.
#[derive(Debug, Default)]
pub struct Pages {
    /// Those that can be read.
    pub orders: BTreeMap<Key, Order>,
    /// Those that cannot: the name of the file, and a sentence with the way out.
    pub faults: Vec<(String, String)>,
}

impl Book {
    /// Opens the book in its directory, and makes it if it is new.
    ///
    /// # Errors
    ///
    /// If others than this user can enter it, or it cannot be made.
    pub fn open(home: Dir) -> Result<Self> {
        let stat = home.stat()?;
        if Uid::from_raw(stat.st_uid) != Uid::effective() || stat.st_mode & (Mode::S_IRWXG | Mode::S_IRWXO).bits() != 0
        {
            bail!(
                "Failed to open the book of orders: others than root have access to it; give it to root with mode 0700"
            );
        }
        let orders = open_or_make(&home, ORDERS)?;
        let ledger = open_or_make(&home, LEDGER)?;
        let ledger = Ledger::new(ledger).context("Failed to open the registrations of orders")?;
        Ok(Self { home, orders, ledger })
    }

    /// Opens the book to look at it, and makes nothing; `None` where nobody ordered yet.
    ///
    /// # Errors
    ///
    /// As [`Book::open`].
    pub fn open_if_there(home: Dir) -> Result<Option<Self>> {
        for name in [ORDERS, LEDGER] {
            if home.entry(name)? == EntryKind::Absent {
                return Ok(None);
            }
        }
        Self::open(home).map(Some)
    }

    /// Takes the book for this process alone; waits for it until `limit` is over. `None` means that another one has it.
    ///
    /// # Errors
    ///
    /// As [`Dir::lock`].
    pub fn lock(&self, limit: Duration) -> Result<Option<Lock<'_>>> {
        self.home.lock(LOCK, limit)
    }

    /// The directory of all this, for what operators put beside it.
    #[must_use]
    pub fn home(&self) -> &Dir {
        &self.home
    }

    /// The registrations of the orders; an entry has the name of the order's runner.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Reads all orders.
    ///
    /// # Errors
    ///
    /// If the directory cannot be listed. A file that cannot be read is among the faults.
    pub fn read(&self) -> Result<Pages> {
        let mut pages = Pages::default();
        for name in self.orders.names().context("Failed to list the orders")? {
            // What a kill left beside a file is not that file; the next writing removes it.
            let Some(stem) = name.strip_suffix(ENDING) else { continue };
            let Some(key) = Key::from_stem(stem) else {
                let way = "it is named as no order can be: move it elsewhere";
                pages.faults.push((name, way.into()));
                continue;
            };
            match self.read_one(&key) {
                Ok(Some(order)) => drop(pages.orders.insert(key, order)),
                Ok(None) => {}
                Err(error) => pages.faults.push((name, format!("{error:#}"))),
            }
        }
        Ok(pages)
    }

    fn read_one(&self, key: &Key) -> Result<Option<Order>> {
        let name = file_name(key);
        let read = || -> Result<Option<Order>> {
            let text =
                self.orders.read_file(&name, &[Uid::effective()], MAX_BYTES)?.map_err(|fault| anyhow!("it {fault}"))?;
            text.map(|text| Order::parse(&text, key).map_err(|fault| anyhow!(fault))).transpose()
        };
        read().with_context(|| {
            format!("Failed to read order {name}; end its machine by hand if there is one, and remove the file 25 hours later")
        })
    }

    /// Puts an order on disk.
    ///
    /// # Errors
    ///
    /// Any step of writing; the disk then has the order of before, and what was to be done must not be.
    pub fn write(&self, order: &Order) -> Result<()> {
        let name = file_name(&order.key());
        let write = || -> Result<()> {
            let text = order.to_text().map_err(|fault| anyhow!(fault))?;
            if text.len() as u64 > MAX_BYTES {
                bail!("it would become too large to be read again");
            }
            self.orders.replace_file(&name, &text, Mode::S_IRUSR | Mode::S_IWUSR, None)
        };
        write().with_context(|| format!("Failed to write order {name}"))
    }

    /// Forgets an order. One that is not there is fine.
    ///
    /// # Errors
    ///
    /// As `unlinkat(2)` and `fsync(2)`.
    pub fn remove(&self, key: &Key) -> Result<()> {
        self.orders.unlink(&file_name(key))?;
        self.orders.sync()
    }
}

fn file_name(key: &Key) -> String {
    format!("{}{ENDING}", key.stem())
}

fn open_or_make(home: &Dir, name: &str) -> Result<Dir> {
    match home.open_dir(OsStr::new(name)) {
        Err(Errno::ENOENT) => {
            let dir = home.make_dir(OsStr::new(name), Mode::S_IRWXU)?;
            home.sync()?;
            Ok(dir)
        }
        opened => opened.with_context(|| format!("Failed to open {name} of the book of orders")),
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
