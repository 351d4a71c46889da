//! The one place that joins the stages: a request becomes an event
//! ([`intake`]), waits in the store, and is handed to plugins ([`dispatch`]).

mod changes;
pub mod dispatch;
pub mod intake;
mod overview;
mod parts;
pub mod reload;
pub mod server;
mod sources;
mod state;
mod system;
pub mod witness;
