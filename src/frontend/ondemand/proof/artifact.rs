//! The proof by an artifact: the run has uploaded one whose name is that of the order. Pure.
//!
//! Only jobs of the run can do that, those of a fork's pull request included. Everything is in the name, so nothing is
//! downloaded and nothing of a stranger's is read.

use super::{Verdict, Wanted};
use crate::contract::workflow::Artifact;
use crate::frontend::ondemand::label::Key;
use crate::frontend::ondemand::refusal::Refusal;

/// An older artifact does not show that anybody asks now, in seconds.
const LONGEST_AGE: u64 = 5 * 60;

/// The name that the artifact of an order has: `od.LABEL.CLASS`, whatever the prefix of labels is.
#[must_use]
pub fn name(key: &Key) -> String {
    format!("od.{}", key.stem())
}

/// Judges by the youngest artifact of the name; `now` in seconds since 1970, by GitHub's clock as far as that is known.
#[must_use]
pub fn judge(wanted: &Wanted, artifact: Option<&Artifact>, now: u64) -> Verdict {
    let is_it = |artifact: &&Artifact| artifact.run == wanted.run && artifact.name == name(wanted.key);
    // Lists lag behind uploads.
    let Some(artifact) = artifact.filter(is_it) else { return Verdict::NotYet };
    match wanted.fork(artifact.repository, artifact.head_repository) {
        Err(refusal) => Verdict::Refused(refusal),
        Ok(_) if artifact.expired || now.saturating_sub(artifact.created_at) > LONGEST_AGE => {
            Verdict::Refused(Refusal::OldArtifact)
        }
        Ok(fork) => Verdict::Proven { fork },
    }
}

#[cfg(test)]
mod tests {
    use super::super::Served;
    use super::super::samples::{NOW, REPOSITORY, RUN, judged, key, repository};
    use super::*;

    fn artifact() -> Artifact {
        Artifact {
            name: "od.od-19283746-1-build.x86_64".into(),
            created_at: NOW - LONGEST_AGE,
            expired: false,
            run: RUN,
            repository: REPOSITORY,
            head_repository: Some(REPOSITORY),
        }
    }

    fn verdict(artifact: Option<&Artifact>) -> Verdict {
        judged(&repository(), |wanted| judge(wanted, artifact, NOW))
    }

    #[test]
    fn a_young_artifact_of_the_name_proves_it_also_for_a_fork() {
        assert_eq!(name(&key("od-19283746-1-build")), artifact().name);
        assert_eq!(verdict(Some(&artifact())), Verdict::Proven { fork: false });
        // The server's clock may be ahead.
        assert_eq!(verdict(Some(&Artifact { created_at: NOW + 5, ..artifact() })), Verdict::Proven { fork: false });
        for head_repository in [Some(7), None] {
            let forked = Artifact { head_repository, ..artifact() };
            assert_eq!(verdict(Some(&forked)), Verdict::Proven { fork: true });
            let closed = Served { forks: false, ..repository() };
            let refused = judged(&closed, |wanted| judge(wanted, Some(&forked), NOW));
            assert_eq!(refused, Verdict::Refused(Refusal::Event("pull requests from forks".into())));
        }
    }

    #[test]
    fn no_artifact_or_one_of_another_order_or_run_is_nothing_yet() {
        let other = |name: &str| Artifact { name: name.into(), ..artifact() };
        let of_others = [
            other("od.od-19283746-1-build.arm64"),
            other("od.od-19283746-1-build"),
            other("OD.od-19283746-1-build.x86_64"),
            Artifact { run: RUN + 1, ..artifact() },
        ];
        assert_eq!(verdict(None), Verdict::NotYet);
        for artifact in of_others {
            assert_eq!(verdict(Some(&artifact)), Verdict::NotYet, "{artifact:?}");
        }
    }

    #[test]
    fn an_old_artifact_or_one_of_another_repository_is_refused() {
        let refused = |artifact: Artifact| match verdict(Some(&artifact)) {
            Verdict::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(Artifact { created_at: NOW - LONGEST_AGE - 1, ..artifact() }), Refusal::OldArtifact);
        assert_eq!(refused(Artifact { expired: true, ..artifact() }), Refusal::OldArtifact);
        assert_eq!(refused(Artifact { repository: 7, ..artifact() }), Refusal::Repository("octo-org/example".into()));
    }
}
