//! What a fleet of GARM should be, as the module writes it or somebody by hand. Types only; [`super::refuse`] says what of it
//! cannot be.
//!
//! No secret stands in it, only paths of files that hold one. What is left out has the value that GARM itself would take, so that
//! taking a line away takes its effect away.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The version of the format that this program reads.
pub const VERSION: u64 = 1;

/// Everything that is declared of one GARM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Declaration {
    /// Always [`VERSION`].
    pub version: u64,
    /// Where its API is: `http://` to this host only, or `https://HOST[:PORT]`. Without a path.
    pub api: String,
    /// The account that is made at the first run, and used from then on.
    pub admin: Admin,
    /// Addresses by which instances and GitHub reach it.
    pub controller: Controller,
    /// Servers beside `github.com`, which exists by itself.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What GARM may use to speak to them.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credentials>,
    /// By `OWNER/NAME`.
    #[serde(default)]
    pub repositories: BTreeMap<String, Entity>,
    /// By name.
    #[serde(default)]
    pub organizations: BTreeMap<String, Entity>,
    /// By a name that only this file and our memory know: GARM's pools have none.
    #[serde(default)]
    pub pools: BTreeMap<String, Pool>,
    /// By a name of this file, which is also the one at GitHub unless it has another.
    #[serde(default)]
    pub scale_sets: BTreeMap<String, ScaleSet>,
    /// What `doctor` checks of the programs that make instances, by their names in GARM.
    #[serde(default)]
    pub providers: BTreeMap<String, Provider>,
    /// What passes remember: ids of pools, and digests of secrets. Its directory belongs to whoever runs passes, alone.
    pub state_file: PathBuf,
    /// Where figures are written for `node_exporter`; nowhere without it.
    #[serde(default)]
    pub textfile_directory: Option<PathBuf>,
}

/// The administrator's account in GARM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Admin {
    /// Letters and digits, at most 64.
    pub user: String,
    /// Needed by GARM at the first run, and never used.
    pub email: String,
    /// The file with the password. GARM refuses a weak one at the first run.
    pub password_file: PathBuf,
}

/// Addresses of GARM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Controller {
    /// By which instances ask for what they are, such as `https://garm.example/api/v1/metadata`.
    #[serde(rename = "metadataUrl")]
    pub metadata: String,
    /// By which instances say how far they are, such as `https://garm.example/api/v1/callbacks`.
    #[serde(rename = "callbackUrl")]
    pub callback: String,
    /// By which GitHub tells of jobs, such as `https://garm.example/webhooks`. Left as it is without one.
    #[serde(default, rename = "webhookUrl")]
    pub webhook: Option<String>,
}

/// A server of GitHub's kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Endpoint {
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Such as `https://github.example`.
    pub base_url: String,
    /// Such as `https://github.example/api/v3`.
    pub api_base_url: String,
    /// Such as `https://github.example/api/uploads`.
    pub upload_base_url: String,
    /// Certificates that GARM and instances trust besides, as PEM.
    #[serde(default)]
    pub ca_certificate_file: Option<PathBuf>,
}

/// What proves to a server who GARM is. Exactly one of `token` and `app`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Credentials {
    /// The name of its server.
    #[serde(default = "github")]
    pub endpoint: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// A personal access token.
    #[serde(default)]
    pub token: Option<Token>,
    /// An installation of an app.
    #[serde(default)]
    pub app: Option<App>,
}

/// A personal access token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Token {
    /// The file that holds it.
    pub file: PathBuf,
}

/// An installation of a GitHub App.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct App {
    /// Its number.
    #[serde(rename = "appId")]
    pub id: u64,
    /// The number of the installation.
    #[serde(rename = "installationId")]
    pub installation: u64,
    /// The file with its key, PEM of PKCS #1 as GitHub hands it out.
    pub key_file: PathBuf,
}

/// A repository or an organization.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Entity {
    /// The name of its credentials, whose endpoint is where it stands.
    pub credentials: String,
    /// The file with the secret by which GARM knows GitHub's messages.
    pub webhook_secret_file: PathBuf,
    /// Whether GARM adds its webhook at GitHub. It is never taken away.
    #[serde(default)]
    pub install_webhook: bool,
    /// Which of several pools gets a job.
    #[serde(default)]
    pub pool_balancer: Balancer,
}

/// Which of several pools gets a job.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Balancer {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// The first one until it is full.
    Pack,
}

/// Runners of one kind for one repository or organization.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Pool {
    /// `OWNER/NAME` of a declared repository, or a declared organization.
    pub entity: String,
    /// Labels by which jobs choose it; at least one.
    pub tags: Vec<String>,
    /// Which of several fitting ones is first; more is earlier.
    #[serde(default)]
    pub priority: u64,
    /// What its instances are like.
    #[serde(flatten)]
    pub make: Make,
}

/// The same with a queue of its own at GitHub.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ScaleSet {
    /// `OWNER/NAME` of a declared repository, or a declared organization.
    pub entity: String,
    /// Its name at GitHub, which jobs write into `runs-on`; that of the declaration without one.
    #[serde(default)]
    pub name: Option<String>,
    /// Further labels. GARM cannot change them later.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What its instances are like.
    #[serde(flatten)]
    pub make: Make,
}

/// How instances are made, and how many.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Make {
    /// The provider, by its name in GARM's configuration.
    pub provider: String,
    /// What the provider takes for an image.
    pub image: String,
    /// What the provider takes for a size; a profile with Incus.
    pub flavor: String,
    /// `linux` or `windows`.
    #[serde(default = "linux")]
    pub os_type: String,
    /// `amd64`, `arm64`, `arm` or `i386`.
    #[serde(default = "amd64")]
    pub os_arch: String,
    /// How many wait for a job at any time.
    #[serde(default)]
    pub min_idle_runners: u64,
    /// How many there are at most; at least one.
    pub max_runners: u64,
    /// After how many minutes an instance that has not become a runner is made anew.
    #[serde(default = "bootstrap_timeout")]
    pub bootstrap_timeout_minutes: u64,
    /// How names of runners begin.
    #[serde(default = "runner_prefix")]
    pub runner_prefix: String,
    /// The group of runners at GitHub; its usual one if empty.
    #[serde(default)]
    pub runner_group: String,
    /// Whether instances are made.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What the provider takes besides.
    #[serde(default)]
    pub extra_specs: Map<String, Value>,
}

/// What `doctor` asks besides GARM about a provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Provider {
    /// Its program; has to be `garm-provider-incus-lxd`, of which `check` and `instances` are asked.
    pub command: PathBuf,
    /// Its settings, as GARM hands them to it.
    pub config: PathBuf,
    /// Its server, for images and the certificate.
    #[serde(default)]
    pub server: Option<Server>,
}

/// A server of Incus or LXD. Either `socket`, or `url` with a certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Server {
    /// The socket.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// `https://HOST:PORT`.
    #[serde(default)]
    pub url: Option<String>,
    /// The certificate of the client, as PEM.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// Its key, as PEM.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
    /// The one certificate that the server may have.
    #[serde(default)]
    pub server_certificate: Option<PathBuf>,
    /// The project.
    pub project: String,
}

fn github() -> String {
    GITHUB.into()
}

/// The endpoint that exists by itself.
pub const GITHUB: &str = "github.com";

fn linux() -> String {
    "linux".into()
}

fn amd64() -> String {
    "amd64".into()
}

fn bootstrap_timeout() -> u64 {
    20
}

fn runner_prefix() -> String {
    "garm".into()
}

fn yes() -> bool {
    true
}
