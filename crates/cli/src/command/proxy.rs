//! `mesh proxy`: endpoints as web sites for the browsers of this host.

use std::sync::Arc;

use mesh::thtp::proxy::ForwardProxy;
use tokio::net::TcpListener;

use crate::access::Access;
use crate::args::{Global, Proxy};
use crate::endpoint::{Endpoint, Listening};
use crate::failure::{Code, Failure, Outcome};
use crate::operation::Request;
use crate::record::Record;
use crate::report::Report;
use crate::web;

pub(crate) async fn run(global: &Global, options: Proxy, report: &mut Report) -> Outcome {
    if !options.listen.ip().is_loopback() && !options.expose {
        return Err(Failure::usage(format_args!(
            "other hosts reach {}, and would speak for this endpoint",
            options.listen
        ))
        .hint("choose an address as 127.0.0.1:8042, or say that you want that with --expose"));
    }
    let access = Access::open(global, &Listening::dialing()).await?;
    match access.perform(Request::Proxy(options), report).await {
        // There is no other way for it to end well.
        Err(failure) if failure.code == Code::Interrupted => Ok(()),
        outcome => outcome,
    }
}

/// Serves browsers until this is given up.
pub(crate) async fn perform(endpoint: &Endpoint, options: &Proxy, report: &mut Report) -> Outcome {
    let cannot = |error: std::io::Error| {
        Failure::failed(format_args!("cannot listen on {}: {error}", options.listen))
            .hint("choose another address with --listen")
    };
    let listener = TcpListener::bind(options.listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    report.report(Record::Proxying { address }).await?;
    let sites = web::Sites {
        mesh: endpoint.mesh.clone(),
        wait: options.wait,
    };
    let proxy = ForwardProxy::new(sites).with_upgrades(Arc::new(web::WebSockets::new()));
    proxy.serve(listener).await.map_err(cannot)
}
