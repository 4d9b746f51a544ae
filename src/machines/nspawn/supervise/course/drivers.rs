//! What drivers may ask of a machine at which time, and what follows when one goes away. Pure.

use std::time::Duration;

use super::{Act, Client, Course, KILL, Phase, Purpose, Stage};
use crate::machines::Fault;
use crate::machines::nspawn::protocol::{Answer, Gone, LONGEST_GRACE, Request};

impl Course {
    /// What follows from a request.
    pub(super) fn asked(&mut self, now: Duration, client: Client, request: Request) -> Vec<Act> {
        let busy = |text: &str| Act::Answer(client, Answer::Failed(Fault::Busy(text.into())));
        let runs = self.stage.as_ref().is_some_and(|stage| stage.client == Some(client));
        let waits = self.next.as_ref().is_some_and(|(waiting, _)| *waiting == client);
        // Any answer closes the connection, and the stage on it would have nobody who waits for it.
        if match request {
            Request::End => false,
            Request::Cancel { .. } => waits,
            _ => runs || waits,
        } {
            let mut acts = vec![busy("A connection is for one stage, which ends with it")];
            acts.extend(self.left(now, client));
            return acts;
        }
        match request {
            Request::End => {
                let mut acts = vec![Act::Answer(client, Answer::Ending)];
                acts.extend(self.quit(now, Gone::Ended));
                acts
            }
            Request::Look => {
                let stage = self.stage.as_ref().map(|stage| stage.name.clone());
                vec![Act::Answer(client, Answer::Look { ready: self.is_ready(), stage })]
            }
            Request::Console => vec![Act::Console(client)],
            Request::Cancel { grace } => match &mut self.stage {
                Some(stage) if stage.client == Some(client) => {
                    let grace = grace.min(LONGEST_GRACE);
                    stage.over = Some(now + Duration::from_secs(grace) + KILL);
                    vec![Act::Cancel(grace)]
                }
                _ => vec![busy("There is no stage of this connection to be cancelled")],
            },
            Request::Stage { .. } if self.purpose == Purpose::OwnWork => {
                let why = Fault::Configuration("This machine has work of its own and takes no stages".into());
                vec![Act::Answer(client, Answer::Failed(why))]
            }
            Request::Stage { name } => match self.phase {
                Phase::Gone(reason) => vec![Act::Answer(client, Answer::Gone(reason))],
                Phase::Waiting | Phase::Booting => vec![busy("The machine is not ready yet")],
                // The first answer comes when it is known why.
                Phase::Alone { .. } if self.stage.is_none() => {
                    self.stage = Some(Stage { client: Some(client), name, since: now, over: None });
                    vec![]
                }
                Phase::Running if self.stage.is_none() => self.begin(now, client, name),
                // The last driver was killed, and the agent ends what it left.
                Phase::Running
                    if self.stage.as_ref().is_some_and(|stage| stage.client.is_none()) && self.next.is_none() =>
                {
                    self.next = Some((client, name));
                    vec![]
                }
                Phase::Alone { .. } | Phase::Running => vec![busy("Another stage of this job runs")],
            },
        }
    }

    /// What follows when the driver of a connection is gone.
    pub(super) fn left(&mut self, now: Duration, client: Client) -> Vec<Act> {
        self.next.take_if(|(waiting, _)| *waiting == client);
        match &mut self.stage {
            Some(stage) if stage.client == Some(client) => {
                stage.client = None;
                stage.over = Some(now + KILL);
                if self.phase == Phase::Running { vec![Act::Cancel(0)] } else { vec![] }
            }
            _ => vec![],
        }
    }
}
