//! What is wrong with a template before it is deployed: static rules over SAM and CloudFormation files.
//!
//! The rules know the resources by type and wiring, so they judge other people's templates as well. Conditions are
//! followed into each branch: a finding that needs other than the default parameters says which.

mod check;
mod deployment;
mod node;
mod place;
mod report;
mod resolve;
mod rules;

pub use check::check;
pub use node::Unreadable;
pub use report::Finding;
pub use rules::{RULES, Rule};
