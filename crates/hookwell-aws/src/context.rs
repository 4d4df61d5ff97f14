//! The context that a handler is made from: the environment, the connection to AWS and the documents table.

use std::error::Error;
use std::fmt;

use crate::client::connection::Connection;
use crate::client::limits::Limits;
use crate::client::settings::{Environment, NotSet, required};
use crate::documents::DocumentsTable;
use crate::handler_table::HandlerTable;
use crate::secret::Secret;
use crate::service::Service;

/// Any reason why a handler cannot be made; `?` turns every error into one.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// An environment of one's own.
type Lookup<'a> = Box<dyn Fn(&str) -> Option<String> + Sync + 'a>;

/// Parts for a handler. The function on Lambda, `cargo run` and a test each make one.
pub struct Context<'a> {
    env: Lookup<'a>,
    /// The connection that the function itself uses, for clients of other services.
    pub connection: Connection,
    /// The documents table, which is a handler itself: pass on to it what you do not handle.
    pub documents: DocumentsTable,
}

impl<'a> Context<'a> {
    /// A context with these variables.
    pub fn new(
        env: impl Fn(&str) -> Option<String> + Sync + 'a,
        connection: Connection,
        documents: DocumentsTable,
    ) -> Self {
        Self {
            env: Box::new(env),
            connection,
            documents,
        }
    }

    /// A variable of the environment; `None` when it is unset or empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name)
    }

    /// A variable that must be set: the name of a table, an address.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, name: &'static str) -> Result<String, NotSet> {
        let env: Environment<'_> = &*self.env;
        required(env, name)
    }

    /// A secret: the text of a variable, or what the variable names, `ssm:NAME` or `secretsmanager:ID`.
    ///
    /// # Errors
    /// When the variable is not set, or begins as a reference and is none. The store is not asked yet.
    pub fn secret(&self, name: &'static str) -> Result<Secret, BoxError> {
        let text = self.required(name)?;
        Ok(Secret::new(name, text, self.connection.clone())?)
    }

    /// A service with an HTTP API, at the address that a variable holds.
    ///
    /// # Errors
    /// When the variable is not set, or is neither `https://` nor an `http://` address of this machine.
    pub fn service(&self, name: &'static str) -> Result<Service, BoxError> {
        let url = self.required(name)?;
        Ok(Service::new(self.connection.clone(), name, &url)?)
    }

    /// The handler's own table, which the template makes with `WithHandlerTable=yes`.
    ///
    /// # Errors
    /// When the template does not make it, so that no variable names it.
    pub fn table(&self) -> Result<HandlerTable, NotSet> {
        let table = self.required("HANDLER_TABLE")?;
        Ok(HandlerTable::new(self.dynamodb(), table))
    }

    /// A client for tables of another shape.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.connection.dynamodb(Limits::PROCESS)
    }
}

impl fmt::Debug for Context<'_> {
    /// Without the environment, which holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("documents", &self.documents)
            .finish_non_exhaustive()
    }
}
