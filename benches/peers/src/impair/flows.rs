//! Connections over one path, and what they carry.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    contender::{Contender, Near, Server, bulk, pings},
    path::Path,
    proxy::{Proxy, Report},
};

/// How often a trace looks.
const LOOK: Duration = Duration::from_millis(100);

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Before it counts.
    pub warmup: Duration,
    pub window: Duration,
}

/// One connection for each of some contenders, which share one path.
pub struct Flows {
    path: Path,
    proxy: Proxy,
    flows: Vec<Flow>,
    trace: Option<PathBuf>,
}

struct Flow {
    contender: Contender,
    server: Server,
    near: Box<dyn Near>,
}

impl Flows {
    /// Connects them. With `trace` their windows are written down, a file each.
    pub async fn start(
        path: Path,
        contenders: &[Contender],
        seed: u64,
        trace: Option<PathBuf>,
    ) -> Result<Self> {
        let servers = try_join_all(contenders.iter().map(|&one| Server::start(one))).await?;
        let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
        let proxy = Proxy::start(&path, &addresses, seed)?;
        let mut flows = Vec::new();
        for (n, (server, &contender)) in servers.into_iter().zip(contenders).enumerate() {
            let near = server.dial(proxy.entrance(n)?).await?;
            flows.push(Flow {
                contender,
                server,
                near,
            });
        }
        Ok(Self {
            path,
            proxy,
            flows,
            trace,
        })
    }

    /// Megabits a second of content that each carries while all send as much as they can.
    pub async fn goodput(&self, times: Times) -> Result<Vec<f64>> {
        tokio::select! {
            carried = self.watch(times) => carried,
            ended = self.send() => ended,
        }
    }

    /// How long pings take beside as much as the first can send.
    pub async fn loaded_pings(&self, times: Times) -> Result<Vec<Duration>> {
        let flow = self.flows.first().context("no flow")?;
        tokio::select! {
            ended = self.send() => ended,
            pings = async {
                sleep(times.warmup).await;
                pings(&*flow.near, times.window).await
            } => pings,
        }
    }

    /// Ends them; what the proxy did.
    pub async fn close(self) -> Result<Report> {
        let report = self.proxy.report()?;
        for flow in self.flows {
            flow.server.close(flow.near).await;
        }
        Ok(report)
    }

    /// Sends on all; ends only with an error.
    async fn send<T>(&self) -> Result<T> {
        try_join_all(self.flows.iter().map(|flow| bulk(&*flow.near))).await?;
        bail!("a stream that should go on ended")
    }

    async fn watch(&self, times: Times) -> Result<Vec<f64>> {
        let begin = Instant::now();
        let mut traces = self.traces()?;
        self.wait(begin, begin + times.warmup, &mut traces).await?;
        let (before, since) = (self.arrived(), Instant::now());
        self.wait(begin, since + times.window, &mut traces).await?;
        let seconds = since.elapsed().as_secs_f64();
        let after = self.arrived().into_iter().zip(before);
        let megabits = after.map(|(after, before)| (after - before) as f64 * 8e-6 / seconds);
        Ok(megabits.collect())
    }

    fn arrived(&self) -> Vec<u64> {
        self.flows
            .iter()
            .map(|flow| flow.server.arrived())
            .collect()
    }

    /// Waits until then, and writes traces meanwhile.
    async fn wait(&self, begin: Instant, until: Instant, traces: &mut [File]) -> Result<()> {
        while !traces.is_empty() && Instant::now() + LOOK < until {
            sleep(LOOK).await;
            for (flow, trace) in self.flows.iter().zip(traces.iter_mut()) {
                let state = flow.near.state();
                writeln!(
                    trace,
                    "{:.2},{},{},{:.1},{},{},{},{}",
                    begin.elapsed().as_secs_f64(),
                    flow.server.arrived(),
                    state.window,
                    state.rtt.as_secs_f64() * 1e3,
                    state.packet,
                    state.sent,
                    state.lost,
                    state.pacing.unwrap_or_default(),
                )?;
            }
        }
        sleep_until(until).await;
        Ok(())
    }

    /// A file for each flow, where there are to be any.
    fn traces(&self) -> Result<Vec<File>> {
        let Some(folder) = &self.trace else {
            return Ok(Vec::new());
        };
        fs::create_dir_all(folder)?;
        let path = self.path.to_string().replace('/', "-");
        let files = self.flows.iter().enumerate().map(|(n, flow)| {
            let name = format!("{path}-{n}-{}.csv", flow.contender).replace(' ', "-");
            let mut file = File::create(folder.join(name))?;
            writeln!(file, "s,arrived,window,rtt_ms,packet,sent,lost,pacing")?;
            Ok(file)
        });
        files.collect()
    }
}
