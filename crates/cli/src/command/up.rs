//! `mesh up`: an endpoint that runs until it is told to end.

use std::sync::Arc;

use mesh::sock::{AllowRule, BindRule, Denial, MeshSockExt as _, SockPolicy};
use mesh::{DownReason, Events, LinkError, Mesh, MeshEvent, Path};
use tokio::sync::mpsc;

use crate::access::place;
use crate::args::{Global, Up};
use crate::command::{discover, status};
#[cfg(unix)]
use crate::control::Server;
use crate::endpoint::{Endpoint, Place};
use crate::failure::{Code, Outcome};
use crate::files::{self, Ended, Receiver};
use crate::operation::state_word;
use crate::record::{LinkRecord, Record, show_path};
use crate::report::Report;
use crate::target;

/// Denied tunnels that wait to be reported; more are only logged.
const DENIAL_CAPACITY: usize = 64;

pub(crate) async fn run(global: &Global, options: Up, report: &mut Report) -> Outcome {
    let targets = options.link.iter().map(|target| target::expand(target));
    let targets = targets.collect::<Outcome<Vec<_>>>()?;
    let routers = options.via.iter().map(|router| target::expand(router));
    let routers = routers.collect::<Outcome<Vec<_>>>()?;
    let place = place(global)?;
    let endpoint = Arc::new(Endpoint::up(&place, &options.listening(), global).await?);
    let work = async {
        let mut events = endpoint.mesh.events();
        let (connect, bind) = (&options.allow_connect, &options.allow_bind);
        let mut denials = serve_tunnels(&endpoint.mesh, connect, bind);
        let (mut receiver, mut _only) = (None, None);
        if let Some(dir) = &options.recv {
            _only = Some(endpoint.receiving.lock().await);
            let folder = files::folder(dir, options.quota, options.max_file)?;
            receiver = Some(Receiver::new(&endpoint.mesh, folder));
        }
        if options.caching.on {
            endpoint.keep_letters(options.caching.quota())?;
        }
        let _server = serve(&place, &endpoint)?;
        report.report(endpoint.ready(options.qr)?).await?;
        for router in routers {
            endpoint.mesh.use_router(target::parse(&router)?).await?;
        }
        for target in targets {
            match endpoint.mesh.link(target::parse(&target)?).await {
                // The network may not be there yet, and what else is up is of use.
                Err(error @ LinkError::NobodyFound(_)) => {
                    let message = format!("not linked to {target}: {error}");
                    report.report(Record::Warning { message }).await?;
                }
                linked => drop(linked?),
            }
        }
        watch(&endpoint, &mut events, &mut denials, &mut receiver, report).await
    };
    match endpoint.while_up(work).await {
        // There is no other way for it to end well.
        Err(failure) if failure.code == Code::Interrupted => Ok(()),
        outcome => outcome,
    }
}

/// Offers the control socket, where there is one.
#[cfg(unix)]
fn serve(place: &Place, endpoint: &Arc<Endpoint>) -> Outcome<Option<AbortOnDrop>> {
    let Place::State(directory) = place else {
        return Ok(None);
    };
    let server = Server::bind(directory)?;
    Ok(Some(AbortOnDrop(tokio::spawn(
        server.run(endpoint.clone()),
    ))))
}

#[cfg(not(unix))]
fn serve(_: &Place, _: &Arc<Endpoint>) -> Outcome<Option<AbortOnDrop>> {
    Ok(None)
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Makes tunnels for peers as far as the rules let them; what is denied comes out.
fn serve_tunnels(mesh: &Mesh, connect: &[AllowRule], bind: &[BindRule]) -> mpsc::Receiver<Denial> {
    let (told, denials) = mpsc::channel(DENIAL_CAPACITY);
    let policy = SockPolicy::new().on_denied(move |denial| {
        // The log has it anyway.
        let _ = told.try_send(denial.clone());
    });
    let policy = connect.iter().cloned().fold(policy, SockPolicy::allow);
    let policy = bind.iter().cloned().fold(policy, SockPolicy::allow_bind);
    mesh.serve_sock(policy);
    denials
}

/// Reports what happens, for ever.
async fn watch(
    endpoint: &Endpoint,
    events: &mut Events,
    denials: &mut mpsc::Receiver<Denial>,
    receiver: &mut Option<Receiver>,
    report: &mut Report,
) -> Outcome {
    loop {
        let record = tokio::select! {
            event = events.next() => match event {
                Some(event) => record(endpoint, event),
                None => return Ok(()),
            },
            ended = ended(receiver) => {
                // A transfer that broke off is reported, and the next one may do better.
                let _ = ended.report(report).await?;
                None
            }
            Some(denial) = denials.recv() => Some(Record::TunnelDenied {
                hashname: denial.peer.to_string(),
                destination: denial.destination.to_string(),
                bind: denial.bind,
            }),
        };
        if let Some(record) = record {
            report.report(record).await?;
        }
    }
}

/// The next transfer of files that is over.
async fn ended(receiver: &mut Option<Receiver>) -> Ended {
    match receiver {
        Some(receiver) => receiver.ended().await,
        None => std::future::pending().await,
    }
}

fn record(endpoint: &Endpoint, event: MeshEvent) -> Option<Record> {
    let warning = |message: String| Some(Record::Warning { message });
    match event {
        MeshEvent::LinkState {
            hashname,
            state,
            reason,
        } => {
            let link = endpoint.mesh.get(&hashname);
            let mut record = link.map_or_else(
                || bare(hashname.to_string(), state_word(state)),
                |link| status::describe(endpoint, &link),
            );
            // The event tells what happened; the link may be elsewhere by now.
            state_word(state).clone_into(&mut record.state);
            record.reason = reason.map(|reason| why_down(reason).to_owned());
            Some(Record::Link(record))
        }
        MeshEvent::LinkRemoved { hashname } => {
            Some(Record::Link(bare(hashname.to_string(), "gone")))
        }
        MeshEvent::LinkPanicked { hashname } => warning(format!(
            "a fault of this program closed the link to {hashname}; please report it"
        )),
        MeshEvent::StrangerRefused { hashname } => Some(Record::Refused {
            hashname: hashname.to_string(),
        }),
        MeshEvent::RouterUri { hashname } => Some(Record::RouterUri {
            hashname: hashname.to_string(),
        }),
        MeshEvent::InviteRedeemed { hashname } => Some(Record::Invited {
            hashname: hashname.to_string(),
        }),
        MeshEvent::ChannelOpened { hashname, kind } => Some(Record::Channel {
            hashname: hashname.to_string(),
            kind,
        }),
        MeshEvent::ChannelRefused { hashname, kind } => Some(Record::ChannelRefused {
            hashname: hashname.to_string(),
            kind,
        }),
        MeshEvent::HandlerFailed {
            hashname,
            kind,
            error,
        } => warning(format!(
            "a {kind} channel with {} failed: {error}",
            hashname.short()
        )),
        MeshEvent::HandlerPanicked { hashname, kind } => warning(format!(
            "a fault of this program ended a {kind} channel with {}",
            hashname.short()
        )),
        MeshEvent::SeenAs { hashname, path } => Some(Record::SeenAs {
            hashname: hashname.to_string(),
            path: show_path(&path),
        }),
        MeshEvent::PathSelected { hashname, path } => {
            let path = path.as_ref()?;
            Some(Record::Way {
                hashname: hashname.to_string(),
                relayed: matches!(path, Path::Peer { .. }),
                path: show_path(path),
            })
        }
        MeshEvent::Discovered {
            hashname,
            keys,
            paths,
        } => Some(discover::record(hashname, keys, paths)),
        MeshEvent::PortMapping(mapping) => Some(Record::PortMapping(mapping.into())),
        MeshEvent::TransportFailed { transport, error } => {
            warning(format!("the transport {transport} failed: {error}"))
        }
        MeshEvent::StateNotSaved { error } => {
            warning(format!("the known links could not be saved: {error}"))
        }
        MeshEvent::Lagged { missed } => {
            warning(format!("{missed} events came too fast to be shown"))
        }
        _ => None,
    }
}

fn why_down(reason: DownReason) -> &'static str {
    match reason {
        DownReason::Closed => "closed",
        DownReason::Unreachable => "no answer",
        DownReason::Silent => "the peer fell silent",
        DownReason::WornOut => "its keys are used up; new ones are being agreed",
        _ => "unknown",
    }
}

fn bare(hashname: String, state: &str) -> LinkRecord {
    LinkRecord {
        hashname,
        alias: None,
        state: state.to_owned(),
        reason: None,
        csid: None,
        rtt_ms: None,
        way: None,
        loss: None,
        moves: 0,
        doubts: 0,
        paths: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh::sock::LinkSockExt as _;
    use mesh::transport::memory::MemoryNetwork;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn denied_tunnels_that_nobody_reports_are_kept_up_to_the_limit() {
        let network = MemoryNetwork::new(1);
        let builder = Mesh::builder().accept(mesh::Accept::All);
        let server = builder.transport(network.endpoint()).build().await.unwrap();
        let mut denials = serve_tunnels(&server, &["127.0.0.1:1".parse().unwrap()], &[]);
        let client = Mesh::builder().transport(network.endpoint());
        let client = client.build().await.unwrap();
        let link = client.link(server.local_link_json()).await.unwrap();
        link.wait_up(Duration::from_secs(60)).await.unwrap();
        for port in 2..DENIAL_CAPACITY + 3 {
            let to = format!("127.0.0.1:{port}").parse().unwrap();
            link.connect(to).await.unwrap_err();
        }
        for port in 2..DENIAL_CAPACITY + 2 {
            let denial = denials.try_recv().unwrap();
            assert_eq!(denial.destination.to_string(), format!("127.0.0.1:{port}"));
        }
        denials.try_recv().unwrap_err();
    }
}
