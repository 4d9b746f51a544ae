//! What a pass does, step by step, and what it refuses. Pure; no secret is ever in a step.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// What a step is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// GARM itself.
    Controller,
    /// A server of GitHub's kind.
    Endpoint,
    /// What GARM speaks to it with.
    Credentials,
    /// A repository.
    Repository,
    /// An organization.
    Organization,
    /// GARM's webhook of one of these.
    Webhook,
    /// A pool.
    Pool,
    /// A scale set.
    ScaleSet,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::Endpoint => "endpoint",
            Self::Credentials => "credentials",
            Self::Repository => "repository",
            Self::Organization => "organization",
            Self::Webhook => "webhook",
            Self::Pool => "pool",
            Self::ScaleSet => "scale-set",
        })
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It is made.
    Create,
    /// Its fields are changed.
    Update,
    /// It is remembered as the declared one, and not changed by that.
    Adopt,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With what.
    pub kind: Kind,
    /// Its name in the declaration.
    pub name: String,
    /// The entity in whose place it is, of pools, scale sets and webhooks.
    pub entity: Option<String>,
    /// Its id in GARM, or its name where that is the id; none of what is made.
    pub id: Option<String>,
    /// What GARM is sent, without the secret.
    pub body: Map<String, Value>,
    /// Whether the secret goes with it.
    pub with_secret: bool,
}

impl Step {
    /// One that sends nothing yet.
    #[must_use]
    pub fn new(action: Action, kind: Kind, name: &str) -> Self {
        let (entity, id, body) = (None, None, Map::new());
        Self { action, kind, name: name.into(), entity, id, body, with_secret: false }
    }

    /// An update of what has this id, if there is something to update.
    #[must_use]
    pub fn update(kind: Kind, name: &str, id: &str, body: Map<String, Value>, with_secret: bool) -> Option<Self> {
        let is_needed = with_secret || !body.is_empty();
        is_needed.then(|| Self { id: Some(id.into()), body, with_secret, ..Self::new(Action::Update, kind, name) })
    }

    /// In words: what was done, as `Updated pool small (image, flavor)`, or with `would` what would be.
    #[must_use]
    pub fn told(&self, would: bool) -> String {
        let verb = match (self.action, would) {
            (Action::Create, true) if self.kind == Kind::Webhook => "Would install",
            (Action::Create, false) if self.kind == Kind::Webhook => "Installed",
            (Action::Create, true) => "Would create",
            (Action::Create, false) => "Created",
            (Action::Update, true) => "Would update",
            (Action::Update, false) => "Updated",
            (Action::Adopt, true) => "Would take over",
            (Action::Adopt, false) => "Took over",
        };
        let thing = match (&self.entity, self.kind) {
            (_, Kind::Controller) => "the controller".into(),
            (Some(entity), Kind::Webhook) => format!("the webhook of {entity}"),
            (Some(entity), kind) => format!("{kind} {} of {entity}", self.name),
            (None, kind) => format!("{kind} {}", self.name),
        };
        let fields = if self.action == Action::Update { self.fields() } else { vec![] };
        let fields = if fields.is_empty() { String::new() } else { format!(" ({})", fields.join(", ")) };
        match (&self.id, self.action) {
            (Some(id), Action::Adopt) => format!("{verb} {thing}: it is {id}"),
            _ => format!("{verb} {thing}{fields}"),
        }
    }

    /// The names of what is changed, as GARM has them.
    #[must_use]
    pub fn fields(&self) -> Vec<&str> {
        let secret = self.with_secret.then_some("secret");
        self.body.keys().map(String::as_str).chain(secret).collect()
    }
}

/// Something that is declared and cannot be brought about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// What.
    pub kind: Kind,
    /// Its name in the declaration.
    pub name: String,
    /// Why, with the way out: a sentence without a full stop.
    pub said: String,
}

/// What is to be done, in its order, and what is not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// In the order in which one needs the other.
    pub steps: Vec<Step>,
    /// Told, and in nobody's way.
    pub refused: Vec<Refused>,
}

impl Plan {
    /// Refuses something.
    pub fn refuse(&mut self, kind: Kind, name: &str, said: String) {
        self.refused.push(Refused { kind, name: name.into(), said });
    }
}
