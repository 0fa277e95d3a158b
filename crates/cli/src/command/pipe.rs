//! `mesh pipe`: standard input and output over a stream.

use std::io;
use std::time::{Duration, Instant};

use mesh::prelude::*;
use mesh::stream::io_error;
use mesh::{ChannelError, SendError};

use crate::access::Access;
use crate::args::{Global, Listen, Pipe, PipeEnd};
use crate::endpoint::Endpoint;
use crate::failure::{Code, Failure, Outcome};
use crate::forward;
use crate::operation::{Request, link_up};
use crate::pump::{Outlet, Plain, PumpError, Sink, Source, pump};
use crate::record::Record;
use crate::report::Report;
use crate::signal::interruptible;
use crate::{stdio, target};

/// What is said to a peer whose stream nobody waits for.
pub(crate) const NOBODY_WAITS: &str = "nobody waits for a stream";

/// How long to stay after the last acknowledgement, which may have been lost: the peer asks for it again.
const LAST_ACK: Duration = Duration::from_millis(100);

pub(crate) async fn run(global: &Global, options: Pipe) -> Outcome {
    let Pipe { end, at, qr } = options;
    through(global, end, &at, qr).await
}

/// Standard input and output to wherever `end` says.
pub(crate) async fn through(global: &Global, mut end: PipeEnd, at: &Listen, qr: bool) -> Outcome {
    let mut report = Report::stderr(global.json);
    end.target = end.target.as_deref().map(target::expand).transpose()?;
    let source = Plain(stdio::input().map_err(|error| unreadable(&error))?);
    let sink = Outlet::Flushed(stdio::output().map_err(|error| Failure::output(&error))?);
    match Access::open(global, &at.listening(end.listen)).await? {
        #[cfg(unix)]
        Access::Running(client) => {
            at.refuse_for_running()?;
            interruptible(client.pipe(&Request::Pipe(end), source, sink, &mut report)).await
        }
        Access::Own(endpoint) => {
            let work = async {
                if end.listen {
                    report.report(endpoint.ready(qr)?).await?;
                }
                let stream = connect(&endpoint, &end).await?;
                exchange(stream, source, sink, &mut report).await
            };
            endpoint.while_up(work).await
        }
    }
}

/// The stream that is asked for: to the target, or the next that a peer opens.
pub(crate) async fn connect(endpoint: &Endpoint, end: &PipeEnd) -> Outcome<ByteStream> {
    match &end.target {
        Some(target) => {
            let link = link_up(endpoint, target, end.wait).await?;
            if let Some(to) = &end.to {
                let fail = |error| forward::failure(link.hashname(), to, None, &error);
                let stream = link.connect(to.destination().map_err(fail)?).await;
                return stream.map(SockStream::into_inner).map_err(fail);
            }
            link.stream(StreamOptions::new())
                .await
                .map_err(Failure::unreachable)
        }
        None => endpoint.streams.next().await,
    }
}

/// Moves everything in both directions, and makes sure that all of it arrived.
pub(crate) async fn exchange(
    stream: ByteStream,
    source: impl Source,
    sink: impl Sink,
    report: &mut Report,
) -> Outcome {
    let start = Instant::now();
    let peer = stream.peer();
    let (mut reader, mut writer) = stream.into_split();
    let up = async {
        let sent = pump(source, Outlet::Closed(&mut writer), |_| {}).await;
        sent.map_err(|error| match error {
            PumpError::Source(error) => unreadable(&error),
            PumpError::Sink(error) => broken(peer, &error),
        })
    };
    let down = async {
        let received = pump(Plain(&mut reader), sink, |_| {}).await;
        received.map_err(|error| match error {
            PumpError::Source(error) => broken(peer, &error),
            PumpError::Sink(error) => Failure::output(&error),
        })
    };
    let (sent, received) = tokio::try_join!(up, down)?;
    if let Ok(mut stream) = ByteStream::reunite(reader, writer) {
        let closed = stream.closed().await;
        closed.map_err(|error| broken(peer, &io_error(error.into())))?;
    }
    let seconds = start.elapsed().as_secs_f64();
    report
        .report(Record::Piped {
            hashname: peer.to_string(),
            sent,
            received,
            seconds,
        })
        .await?;
    tokio::time::sleep(LAST_ACK).await;
    Ok(())
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::failed(format_args!("cannot read standard input: {error}"))
}

/// The stream failed. The peer may have refused it, which shows only now.
fn broken(peer: Hashname, error: &io::Error) -> Failure {
    match refusal(error) {
        Some(reason) => {
            let what = format_args!("{} takes no stream: {reason}", peer.short()).to_string();
            Failure::new(Code::Refused, what)
                .hint("there, run `mesh pipe --listen` or `mesh up --echo`")
        }
        None => {
            let what = format_args!("the stream with {} broke: {error}", peer.short()).to_string();
            Failure::unreachable(what).hint("what was written so far is not complete")
        }
    }
}

fn refusal(error: &io::Error) -> Option<&str> {
    match error.get_ref()?.downcast_ref()? {
        SendError::Channel(ChannelError::Peer(reason)) => ["unknown type", "refused", NOBODY_WAITS]
            .into_iter()
            .find(|known| reason == known),
        _ => None,
    }
}
