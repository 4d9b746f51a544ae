//! The manifest: what the module tells the helper about one runner, as JSON in the store.
//!
//! The module writes it and has the helper check it in the same build, so both must come from one release. Passes write one
//! for a runner that the module knows nothing of any more. Reading and writing the file is the caller's business; nothing here
//! touches the file system.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::model::{
    GithubApp, InstanceName, MemorySize, Registration, RegistrationUrl, Repository, Scope, TokenPath, TokenType,
    WorkDirMode, id,
};

/// The version of the format that this helper reads and writes.
pub const VERSION: u64 = 2;

/// The least time between two registrations of which the first was of no use, in seconds, as the module has it.
const INTERVAL: u64 = 60;

/// One runner, as configured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Manifest {
    /// Always [`VERSION`].
    pub version: u64,
    /// The attribute name of the runner.
    pub instance: InstanceName,
    /// What a registration is compared by.
    pub registration: Registration,
    /// Whether a runner of the same name may be replaced.
    pub replace: bool,
    /// How to understand the token.
    pub token_type: TokenType,
    /// The App that registers the runner, in place of a token.
    pub github_app: Option<GithubApp>,
    /// How the runner registers; `None` leaves it to its kind, see [`Manifest::method`].
    pub method: Option<Method>,
    /// Whether another access token makes another registration.
    pub re_register_on_token_change: bool,
    /// The shortest time between two registrations of which the first was of no use, in seconds.
    pub registration_interval: u64,
    /// How far the starts of this host's runners are apart, in milliseconds.
    #[serde(default)]
    pub start_distance: u64,
    /// How much the work directory can hold, if it is to have a file system of its own, in memory.
    #[serde(default)]
    pub work_dir_size: Option<MemorySize>,
    /// When the work directory is emptied.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clean_work_dir: CleanWorkDir,
    /// How many bytes work and state directory must have left for the runner to be offered, if there is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_free_space: Option<MemorySize>,
    /// By which variables its broker reaches the server.
    #[serde(default)]
    pub broker_environment: BTreeMap<String, String>,
    /// How much of the listener's logs is kept.
    #[serde(default)]
    pub logs: Logs,
    /// Groups that the unit's user is in besides its own, by name or number.
    #[serde(default)]
    pub supplementary_groups: Vec<String>,
    /// Whether jobs may know what root knows, so that a credential that they can read is no fault.
    #[serde(default)]
    pub trust_jobs_like_root: bool,
    /// Who besides the service user may use the work directory; nobody unless it says so.
    #[serde(default)]
    pub work_dir_mode: WorkDirMode,
    /// The repositories whose runs the broker may be asked about. Without any, as ordinary runners have it, it looks up none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<ServedRepository>,
    /// A digest of the rest of the unit, so that whatever changes makes another manifest. Nobody compares it.
    #[serde(default)]
    pub unit: Option<String>,
    /// The absolute path of `Runner.Listener`.
    pub listener: PathBuf,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// When a work directory is emptied.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CleanWorkDir {
    /// At every start.
    #[default]
    Start,
    /// Only of what is not known to be of this runner's jobs.
    Never,
}

/// A repository whose runs may have runners.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServedRepository {
    /// Its name, which GitHub is asked for.
    pub name: Repository,
    /// Its id on the server, which stays when it is renamed, and which nobody else can get.
    #[serde(deserialize_with = "id")]
    pub id: u64,
}

/// Where the credential of a runner is and how to understand it: paths only, never a secret.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CredentialPlace {
    /// The file of a token.
    pub token_file: Option<TokenPath>,
    /// How to understand that token.
    pub token_type: TokenType,
    /// An App, in place of a token.
    pub github_app: Option<GithubApp>,
    /// By which variables the server is reached, such as a proxy.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

impl CredentialPlace {
    /// What its standing with the server is known by: for a token its file, for an App also whose runners it registers,
    /// because GitHub counts the requests of each installation by itself. The two are separated by a space, which no such
    /// path has.
    #[must_use]
    pub fn key(&self, url: &RegistrationUrl) -> Option<String> {
        let file = self.file()?;
        Some(match (&self.github_app, url.scope()) {
            (Some(_), Scope::Repository(owner, _) | Scope::Organization(owner)) => {
                format!("{file} {}", owner.to_lowercase())
            }
            _ => file.to_owned(),
        })
    }

    /// The file that holds the secret.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        let app = self.github_app.as_ref().map(|app| &app.private_key_file);
        app.or(self.token_file.as_ref()).map(TokenPath::as_str)
    }
}

/// How much of the listener's logs is kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Logs {
    /// For how many days.
    pub max_age: u64,
    /// How many MiB.
    pub max_size: u64,
}

impl Default for Logs {
    fn default() -> Self {
        Self { max_age: 30, max_size: 128 }
    }
}

/// How a runner registers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The server makes the registration and gives out its files; for ephemeral runners with an API credential.
    Jit,
    /// The listener makes the registration, with a registration token.
    Configure,
}

#[derive(Deserialize)]
struct Header {
    version: u64,
}

impl Manifest {
    /// Reads and checks the text of a manifest.
    ///
    /// # Errors
    ///
    /// Names the field that is unknown, missing or wrong, and what to do about it.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let header: Header = serde_json::from_slice(text).context("it is no JSON object with a `version`")?;
        if header.version != VERSION {
            bail!(
                "field `version` is {}, but this helper reads version {VERSION}: take the module and the helper from the same release",
                header.version
            );
        }
        let manifest: Self = serde_json::from_slice(text).context(
            "a field is wrong; if it is unknown or missing, take the module and the helper from the same release",
        )?;
        manifest.check()?;
        Ok(manifest)
    }

    /// A runner of which nothing but this is configured; the rest is as the module has it by default.
    #[must_use]
    pub fn new(
        instance: InstanceName,
        registration: Registration,
        credential: CredentialPlace,
        listener: PathBuf,
    ) -> Self {
        let CredentialPlace { token_file, token_type, github_app, environment } = credential;
        Self {
            version: VERSION,
            instance,
            registration: Registration { token_file, ..registration },
            replace: false,
            token_type,
            github_app,
            method: None,
            re_register_on_token_change: true,
            registration_interval: INTERVAL,
            start_distance: 0,
            work_dir_size: None,
            clean_work_dir: CleanWorkDir::Start,
            min_free_space: None,
            broker_environment: environment,
            logs: Logs::default(),
            supplementary_groups: vec![],
            trust_jobs_like_root: false,
            work_dir_mode: WorkDirMode::default(),
            repositories: vec![],
            unit: None,
            listener,
        }
    }

    /// The text that [`Manifest::parse`] reads.
    ///
    /// # Errors
    ///
    /// If the path of the listener is not UTF-8, which JSON cannot express.
    pub fn to_text(&self) -> Result<String> {
        serde_json::to_string(self).context("Failed to write the manifest as JSON")
    }

    /// Where its credential is.
    #[must_use]
    pub fn credential_place(&self) -> CredentialPlace {
        CredentialPlace {
            token_file: self.registration.token_file.clone(),
            token_type: self.token_type,
            github_app: self.github_app.clone(),
            environment: self.broker_environment.clone(),
        }
    }

    /// Checks what concerns more than one field, and what the type of a field does not hold.
    ///
    /// # Errors
    ///
    /// Names the fields, and what to do about them.
    pub fn check(&self) -> Result<()> {
        let registration = &self.registration;
        registration.check().map_err(anyhow::Error::msg)?;
        if !self.listener.is_absolute() {
            bail!("field `listener` is not an absolute path: {}", self.listener.display());
        }
        match (&registration.token_file, &self.github_app) {
            (None, None) => bail!("neither `tokenFile` nor `githubApp` is set: one of them has to register the runner"),
            (Some(_), Some(_)) => bail!("both `tokenFile` and `githubApp` are set: remove one of them"),
            (None, Some(_)) if matches!(registration.url.scope(), Scope::Enterprise(_)) => {
                bail!(
                    "GitHub lets no App administer the runners of an enterprise: use `tokenFile` with a classic token"
                )
            }
            _ => {}
        }
        if matches!(self.min_free_space, Some(MemorySize::Percent(_))) {
            bail!("field `minFreeSpace` is a share of memory: write it like 20G");
        }
        for (at, one) in self.repositories.iter().enumerate() {
            if self.repositories[..at].iter().any(|other| other.name.is(&one.name) || other.id == one.id) {
                bail!("repository {} is served twice, by its name or by its id: remove one of them", one.name.as_str());
            }
        }
        if self.method == Some(Method::Jit) {
            if !registration.ephemeral {
                bail!(
                    "`registration.method` is \"jit\", which makes ephemeral runners only: set `ephemeral` or remove it"
                );
            }
            if self.tells_group_of_repository() {
                bail!(
                    "`registration.method` is \"jit\", which knows no `runnerGroup` for a repository: remove one of them"
                );
            }
        }
        Ok(())
    }

    /// Whether what this runner's jobs leave in the work directory outlives starts.
    #[must_use]
    pub fn keeps_work_dir(&self) -> bool {
        self.clean_work_dir == CleanWorkDir::Never
    }

    /// How the runner registers, given whether its credential is one of the API.
    ///
    /// By default ephemeral runners with such a credential need no `configure`. GitHub offers no way to look up
    /// the groups of a repository, so there the listener has to find its group.
    #[must_use]
    pub fn method(&self, api_credential: bool) -> Method {
        let fits = api_credential && self.registration.ephemeral && !self.tells_group_of_repository();
        self.method.unwrap_or(if fits { Method::Jit } else { Method::Configure })
    }

    fn tells_group_of_repository(&self) -> bool {
        self.registration.runner_group.is_some() && matches!(self.registration.url.scope(), Scope::Repository(..))
    }
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
