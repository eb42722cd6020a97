//! What stands beside the layers: the devtools, simulated worlds, and the surface of the crate as a whole.

#[cfg(feature = "app")]
mod app_surface;
#[cfg(feature = "devtools")]
mod devtools;
#[cfg(feature = "tls")]
mod secure_surface;
mod sim_client;
mod simulation;
#[path = "../support/mod.rs"]
mod support;
mod surface;
