//! What this GitHub knows: credentials, accounts, runner groups and runners.
//!
//! The same shape is the configuration of an embedded stand-in and the content of the
//! state file of the program, so a test can write one by hand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    app::{App, Installation, InstallationToken},
    jit::JitChanges,
    pat::Pat,
    runner::{Group, Runner},
    shared::{sha256, unix_now},
    workflows::Run,
};

/// Everything the stand-in remembers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct State {
    /// API tokens that may do everything.
    pub pats: Vec<String>,
    /// Personal access tokens with limits.
    pub limited_pats: Vec<Pat>,
    /// GitHub Apps.
    pub apps: Vec<App>,
    /// Tokens of their installations.
    pub installation_tokens: Vec<InstallationToken>,
    /// Entities such as `orgs/octo-org` that exist; empty means that all do.
    pub entities: Vec<String>,
    /// Accounts that are plain users, so no organisations.
    pub users: Vec<String>,
    /// Repositories such as `octo-org/example` that are not private: `public` or `internal`.
    pub visibility: BTreeMap<String, String>,
    /// Rules for pull requests from forks, of entities that have another one than GitHub's default.
    pub approval: BTreeMap<String, String>,
    /// Runner groups, the same for every entity.
    pub groups: Vec<Group>,
    /// Registration and remove tokens.
    pub tokens: Vec<Token>,
    /// All runners of all entities.
    pub runners: Vec<Runner>,
    /// The number given out last, to runners and tokens alike.
    pub last_id: u64,
    /// How far the clock is ahead of the machine's, in seconds.
    pub clock_skew: i64,
    /// Seconds since the epoch, by the machine's clock, until which every connection is
    /// closed without an answer.
    pub down_until: u64,
    /// Requests that are answered before the rate limit is exceeded.
    pub rate_limit: u64,
    /// Requests that were counted in this hour.
    pub rate_used: u64,
    /// When the hour ends, in seconds since the epoch.
    pub rate_reset: u64,
    /// What is wrong with the JIT configurations that are made.
    pub jit: JitChanges,
    /// Runs of workflows.
    pub runs: Vec<Run>,
    /// The keys of the issuer of ID tokens, if they are other ones than its own.
    pub issuer_keys: Option<Value>,
    /// Releases of the runner, by version, with the time of each as GitHub writes it.
    pub releases: BTreeMap<String, String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            pats: Vec::new(),
            limited_pats: Vec::new(),
            apps: Vec::new(),
            installation_tokens: Vec::new(),
            entities: Vec::new(),
            users: Vec::new(),
            visibility: BTreeMap::new(),
            approval: BTreeMap::new(),
            groups: vec![Group::new(1, "Default")],
            tokens: Vec::new(),
            runners: Vec::new(),
            last_id: 0,
            clock_skew: 0,
            down_until: 0,
            rate_limit: 5_000,
            rate_used: 0,
            rate_reset: 0,
            jit: JitChanges::default(),
            runs: Vec::new(),
            issuer_keys: None,
            releases: BTreeMap::new(),
        }
    }
}

/// What a short-lived token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// Adding runners.
    Registration,
    /// Deleting runners.
    Remove,
}

/// A short-lived token of one entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// The secret itself.
    #[serde(rename = "token")]
    pub secret: String,
    /// The entity it was made for.
    pub entity: String,
    /// What it is good for.
    pub kind: TokenKind,
    /// Seconds since the epoch at which it stops working.
    pub expires: u64,
}

impl State {
    /// Seconds since the epoch by GitHub's clock.
    pub fn now(&self) -> u64 {
        unix_now().saturating_add_signed(self.clock_skew)
    }

    /// Whether connections are closed without an answer.
    pub fn is_down(&self) -> bool {
        unix_now() < self.down_until
    }

    /// Counts a request; false if the rate limit is exceeded.
    pub fn count_request(&mut self) -> bool {
        if self.rate_reset <= self.now() {
            self.rate_used = 0;
            self.rate_reset = self.now() + 3_600;
        }
        let good = self.rate_used < self.rate_limit;
        self.rate_used += u64::from(good);
        good
    }

    /// Whether the account is a plain user.
    pub fn is_user(&self, name: &str) -> bool {
        self.users.iter().any(|user| user.eq_ignore_ascii_case(name))
    }

    /// Whether such an organisation, repository or enterprise exists.
    pub fn knows(&self, entity: &str) -> bool {
        let known = |name: &String| name.eq_ignore_ascii_case(entity);
        let is_user = entity.strip_prefix("orgs/").is_some_and(|name| self.is_user(name));
        !is_user && (self.entities.is_empty() || self.entities.iter().any(known))
    }

    /// Who sees the repository of an entity such as `repos/octo-org/example`.
    pub fn visibility(&self, entity: &str) -> &str {
        let name = entity.strip_prefix("repos/").unwrap_or_default();
        self.visibility.get(name).map_or("private", String::as_str)
    }

    /// The next number.
    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Makes a token in GitHub's form: 29 upper-case characters without a prefix.
    pub fn mint(&mut self, entity: &str, kind: TokenKind, lifetime: u64) -> Token {
        let number = self.next_id();
        let digest = sha256(format!("{entity}{kind:?}{number}{}", unix_now())).to_uppercase();
        let token = Token {
            secret: format!("AFAKE{}", &digest[..24]),
            entity: entity.to_owned(),
            kind,
            expires: self.now() + lifetime,
        };
        self.tokens.push(token.clone());
        token
    }

    /// A token that is known and still valid.
    pub fn token(&self, secret: &str) -> Option<&Token> {
        let now = self.now();
        self.tokens.iter().find(|token| token.secret == secret && token.expires > now)
    }

    /// A personal access token with limits, expired or not.
    pub fn limited_pat(&self, secret: &str) -> Option<&Pat> {
        self.limited_pats.iter().find(|pat| pat.token == secret)
    }

    /// A token of an installation that is known and still valid, and the installation.
    pub fn installation_token(&self, secret: &str) -> Option<(&InstallationToken, &Installation)> {
        let now = self.now();
        let token = self.installation_tokens.iter().find(|token| token.secret == secret && token.expires > now)?;
        let mut installations = self.apps.iter().flat_map(|app| &app.installations);
        Some((token, installations.find(|installation| installation.id == token.installation)?))
    }

    /// The runner with this number in this entity.
    pub fn runner(&self, entity: &str, id: u64) -> Option<&Runner> {
        self.runners.iter().find(|runner| runner.id == id && runner.entity.eq_ignore_ascii_case(entity))
    }

    /// Where the runner with this name in this entity is, without regard to case.
    pub fn holder(&self, entity: &str, name: &str) -> Option<usize> {
        let fits =
            |runner: &Runner| runner.entity.eq_ignore_ascii_case(entity) && runner.name.eq_ignore_ascii_case(name);
        self.runners.iter().position(fits)
    }

    /// Every secret that must not appear in a record.
    pub fn secrets(&self) -> Vec<String> {
        let pats = self.limited_pats.iter().map(|pat| &pat.token);
        let installations = self.installation_tokens.iter().map(|token| &token.secret);
        let tokens = self.tokens.iter().map(|token| &token.secret);
        self.pats.iter().chain(pats).chain(installations).chain(tokens).cloned().collect()
    }
}
