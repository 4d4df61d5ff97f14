//! Finds mistakes in a template before it is deployed: static rules over SAM and CloudFormation files.
//!
//! The rules know the resources by type and wiring, so they judge other people's templates as well. Conditions are
//! followed into each branch: a finding that needs other than the default parameters says which.
//!
//! * `node`: YAML as a tree in which every node knows its line
//! * `resolve`: conditions, parameters and references, once for each branch
//! * `place`: a path in the tree, and what stands there
//! * `deployment`: the functions, queues and tables that the resources make
//! * `gateway`: what API Gateway does with a request
//! * `endpoints`: the ways from outside to the functions
//! * `rules`: what a template must have
//! * `report`: what the rules found
//! * `check`: all of it in order
//! * `own_tables`: the tables of a project's own handler

mod check;
mod deployment;
mod endpoints;
mod gateway;
mod node;
mod own_tables;
mod place;
mod report;
mod resolve;
mod rules;

pub use check::{check, is_hookwells};
pub use node::Unreadable;
pub use own_tables::{OwnTable, own_tables};
pub use report::Finding;
pub use rules::{RULES, Rule};
