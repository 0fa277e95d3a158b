//! `mesh forward`: ports of TCP and UDP through a peer.

use crate::access::Access;
use crate::args::{Accept, Forward, Global, Listen, PipeEnd, Roads};
use crate::command::pipe;
use crate::endpoint::Listening;
use crate::failure::{Code, Outcome};
use crate::operation::Request;
use crate::report::Report;
use crate::target;

pub(crate) async fn run(global: &Global, mut options: Forward, report: &mut Report) -> Outcome {
    if let Some(to) = options.stdio.take() {
        let end = PipeEnd {
            target: Some(options.target),
            to: Some(to),
            listen: false,
            wait: options.wait,
        };
        return pipe::through(global, end, &only_dialing(), false).await;
    }
    options.target = target::expand(&options.target)?;
    let access = Access::open(global, &Listening::dialing()).await?;
    match access.perform(Request::Forward(options), report).await {
        // There is no other way for it to end well.
        Err(failure) if failure.code == Code::Interrupted => Ok(()),
        outcome => outcome,
    }
}

/// As a pipe that nobody told where to listen.
fn only_dialing() -> Listen {
    Listen {
        roads: Roads::default(),
        accept: Accept::Known,
        allow: Vec::new(),
    }
}
