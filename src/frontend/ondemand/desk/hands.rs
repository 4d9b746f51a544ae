//! What errands work with: where things are, how brokers are reached, and what makes machines. Shared by all threads.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::Uid;

use crate::contract::manifest::{Manifest, Method};
use crate::contract::names::on_demand_host;
use crate::frontend::ondemand::book::{Book, LEDGER};
use crate::frontend::ondemand::figures::Counters;
use crate::frontend::ondemand::kind::{Kind, request};
use crate::frontend::ondemand::label::{Class, Key};
use crate::frontend::ondemand::order::{Maker, Order};
use crate::frontend::ondemand::settings::{ClassSettings, Settings};
use crate::model::{InstanceName, Label, RunnerName};
use crate::registration::jit::{JitRegistration, MAX_BYTES};
use crate::state::start::{existing, read_manifest};
use crate::survey::transient::Transient;
use crate::sys::Dir;

/// Where the desk keeps things.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The book.
    pub state: PathBuf,
    /// What lies in memory.
    pub runtime: PathBuf,
    /// What tells this host from all others.
    pub machine_id: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            state: "/var/lib/github-runner-on-demand".into(),
            runtime: "/run/github-runner-on-demand".into(),
            machine_id: "/etc/machine-id".into(),
        }
    }
}

impl Paths {
    /// What tells this host from all others, without telling which one it is.
    ///
    /// # Errors
    ///
    /// If it has no id.
    pub fn host(&self) -> Result<String> {
        let id = std::fs::read_to_string(&self.machine_id)
            .with_context(|| format!("Failed to read {}", self.machine_id.display()))?;
        Ok(on_demand_host(&id))
    }
}

/// Below [`Paths::runtime`]: registrations on their way, a file for each order.
const ORDERS: &str = "orders";
/// The same for manifests.
const MANIFESTS: &str = "manifests";
const ENDING: &str = ".json";
/// Beside the book: what was counted.
pub const COUNTERS: &str = "counters.json";
/// More than all classes, reasons and codes together take.
const MOST_COUNTED: u64 = 1 << 20;

/// What makes machines, and of which classes.
#[derive(Clone, Default)]
pub struct Kinds {
    all: Vec<Arc<dyn Kind>>,
    of: BTreeMap<Class, usize>,
}

impl Kinds {
    /// Adds a kind, and the classes that it makes machines of.
    pub fn add(&mut self, kind: Arc<dyn Kind>, classes: impl IntoIterator<Item = Class>) {
        self.of.extend(classes.into_iter().map(|class| (class, self.all.len())));
        self.all.push(kind);
    }

    /// All of them; their place is their number.
    #[must_use]
    pub fn all(&self) -> &[Arc<dyn Kind>] {
        &self.all
    }

    /// Whether a kind may have the machine of an order.
    #[must_use]
    pub fn may_have(&self, at: usize, order: &Order) -> bool {
        let maker = self.all[at].maker();
        // Each class has an account, and with another class's credential nothing of it is found, nor at another place.
        let place = self.all[at].place();
        let is_elsewhere = maker == Maker::Ec2
            && (self.of(&order.class) != Some(at) || order.place.as_deref().is_some_and(|of| Some(of) != place));
        order.maker.is_none_or(|of| of == maker) && !is_elsewhere
    }

    /// Whether no kind can say anything about the machine of an order that has one.
    #[must_use]
    pub fn nobody_has(&self, order: &Order) -> bool {
        order.maker.is_some() && (0..self.all.len()).all(|at| !self.may_have(at, order))
    }

    /// Whether any class has it now.
    #[must_use]
    pub fn is_configured(&self, at: usize) -> bool {
        self.of.values().any(|of| *of == at)
    }

    /// The number of that of a class. A class that is not configured any more has none.
    #[must_use]
    pub fn of(&self, class: &Class) -> Option<usize> {
        self.of.get(class).copied()
    }
}

/// How the broker of one order is reached.
pub trait Doors: Send + Sync {
    /// Has a broker with this manifest answer at the path that `ask` is given, as long as that runs.
    ///
    /// # Errors
    ///
    /// If no such broker can be had.
    fn with(&self, manifest: &Manifest, ask: &mut dyn FnMut(&Path)) -> Result<()>;

    /// Removes what was made for brokers of a runner of which nothing is left.
    ///
    /// # Errors
    ///
    /// As `unlink(2)`.
    fn forget(&self, instance: &str) -> Result<()>;
}

/// Brokers that systemd makes.
#[derive(Debug)]
pub struct ByUnits {
    manifests: PathBuf,
    ledger: PathBuf,
    properties: Vec<String>,
}

impl ByUnits {
    /// In the sandbox of the settings.
    #[must_use]
    pub fn new(settings: &Settings, paths: &Paths) -> Self {
        Self {
            manifests: paths.runtime.join(MANIFESTS),
            ledger: paths.state.join(LEDGER),
            properties: settings.broker_properties.clone(),
        }
    }

    fn brokers(&self) -> Transient<'_> {
        Transient { runtime: &self.manifests, ledger: &self.ledger, properties: &self.properties }
    }
}

impl Doors for ByUnits {
    fn with(&self, manifest: &Manifest, ask: &mut dyn FnMut(&Path)) -> Result<()> {
        let door = self.brokers().open(manifest)?;
        ask(door.socket());
        Ok(())
    }

    fn forget(&self, instance: &str) -> Result<()> {
        self.brokers().forget(instance)
    }
}

/// All of it.
pub struct Hands {
    /// As configured.
    pub settings: Settings,
    /// The manifest of the broker that looks things up, from which those of orders are made.
    pub base: Manifest,
    /// The orders.
    pub book: Book,
    /// What makes machines.
    pub kinds: Kinds,
    /// What tells this host from all others, without telling which one it is.
    pub host: String,
    /// How brokers of orders are reached.
    pub doors: Box<dyn Doors>,
    material: Dir,
    paths: Paths,
}

impl Hands {
    /// Opens everything, and makes what is missing.
    ///
    /// # Errors
    ///
    /// If something of it cannot be used.
    pub fn open(settings: Settings, paths: Paths, kinds: Kinds, doors: Box<dyn Doors>) -> Result<Self> {
        let base = read_manifest(&settings.manifest)?;
        let (_, home) = existing("state", &paths.state)?;
        let (_, runtime) = existing("runtime", &paths.runtime)?;
        let material = subdirectory(&runtime, ORDERS)?;
        let host = paths.host()?;
        Ok(Self { settings, base, book: Book::open(home)?, kinds, host, doors, material, paths })
    }

    /// The class of an order, if it is configured.
    #[must_use]
    pub fn class(&self, key: &Key) -> Option<&ClassSettings> {
        self.settings.classes.get(&key.class)
    }

    /// The manifest of an order's runner.
    ///
    /// # Errors
    ///
    /// Only for names that no order has.
    pub fn manifest(&self, key: &Key) -> Result<Manifest> {
        let mut manifest = self.base.clone();
        let text = |error: String| anyhow!(error);
        manifest.instance = instance(key)?;
        let registration = &mut manifest.registration;
        registration.name = Some(RunnerName::try_from(key.runner_name()).map_err(text)?);
        let architecture = self.class(key).map_or(&key.class, |class| &class.architecture).as_str();
        let labels = [key.label.as_str().to_owned(), format!("arch_{architecture}")];
        registration.extra_labels = labels.into_iter().map(Label::try_from).collect::<Result<_, _>>().map_err(text)?;
        (registration.ephemeral, registration.no_default_labels) = (true, true);
        manifest.method = Some(Method::Jit);
        manifest.replace = false;
        manifest.repositories.clear();
        Ok(manifest)
    }

    /// Who signs ID tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.base.registration.url.issuer()
    }

    /// What was counted before.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let read = self.book.home().read_file(COUNTERS, &[Uid::effective()], MOST_COUNTED);
        let Ok(Ok(Some(text))) = read else { return Counters::default() };
        Counters::parse(&text).unwrap_or_else(|fault| {
            tracing::warn!("{COUNTERS}: {fault}. Counting begins anew");
            Counters::default()
        })
    }

    /// Puts a registration where the maker of its machine finds it.
    ///
    /// # Errors
    ///
    /// Any step of writing.
    pub fn put(&self, key: &Key, registration: &JitRegistration) -> Result<()> {
        let text = registration.to_text()?;
        self.material
            .replace_file(&file_name(key), &text, Mode::S_IRUSR, None)
            .with_context(|| format!("Failed to write the registration of order {key}"))
    }

    /// The id of the runner whose registration lies there.
    ///
    /// # Errors
    ///
    /// If it cannot be read. One that is of no use counts as none.
    pub fn material(&self, key: &Key) -> Result<Option<u64>> {
        let read = self.material.read_file(&file_name(key), &[Uid::effective()], MAX_BYTES)?;
        let text = read.map_err(|fault| anyhow!("The registration of order {key} {fault}"))?;
        Ok(text.and_then(|text| JitRegistration::parse(&text).ok()).map(|registration| registration.id))
    }

    /// Where it lies.
    #[must_use]
    pub fn material_path(&self, key: &Key) -> PathBuf {
        self.paths.runtime.join(ORDERS).join(file_name(key))
    }

    /// Removes it, and what was asked for with it.
    ///
    /// # Errors
    ///
    /// As `unlinkat(2)`.
    pub fn clear(&self, key: &Key) -> Result<()> {
        self.material.unlink(&format!("{}{}", key.stem(), request::ENDING))?;
        self.material.unlink(&file_name(key)).map(drop)
    }

    /// The orders of which one lies there.
    ///
    /// # Errors
    ///
    /// As `readdir(3)`.
    pub fn materials(&self) -> Result<Vec<Key>> {
        let names = self.material.names().context("Failed to list registrations on their way")?;
        let stems = names.iter().filter_map(|name| {
            let stem = name.strip_suffix(ENDING).or_else(|| name.strip_suffix(request::ENDING));
            Key::from_stem(stem?)
        });
        Ok(stems.collect())
    }

    /// Removes what brokers of an order were given, and its entry of the ledger.
    ///
    /// # Errors
    ///
    /// As `unlink(2)`.
    pub fn forget(&self, key: &Key) -> Result<()> {
        self.book.ledger().remove(&instance(key)?)?;
        self.doors.forget(&key.runner_name())
    }
}

fn file_name(key: &Key) -> String {
    format!("{}{ENDING}", key.stem())
}

/// The name of an order's runner in the ledger.
///
/// # Errors
///
/// Only for names that no order has.
pub fn instance(key: &Key) -> Result<InstanceName> {
    InstanceName::try_from(key.runner_name()).map_err(|error| anyhow!(error))
}

fn subdirectory(parent: &Dir, name: &str) -> Result<Dir> {
    match parent.open_dir(OsStr::new(name)) {
        Err(Errno::ENOENT) => parent.make_dir(OsStr::new(name), Mode::S_IRWXU),
        opened => opened.with_context(|| format!("Failed to open {name}")),
    }
}
