//! Links through routers, and the move to a direct way, on a simulated network.

mod cloaks;
mod crowd;
mod direct;
mod hostile;
mod indistinct;
mod privacy;
mod reach;
mod refused;
mod uris;
mod wiretap;
mod world;
