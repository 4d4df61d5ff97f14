//! The functions, queues and tables that a template deploys, found by type and wiring, never by the names that somebody
//! gave.

use hookwell::deliver::Destination;
use hookwell::source::Source;

use super::node::Node;
use super::place::Place;
use super::resolve::{self, Choice, Resource};

/// The types of a table.
const TABLES: [&str; 2] = ["AWS::DynamoDB::Table", "AWS::Serverless::SimpleTable"];

/// A template resolved for one choice of its parameters.
#[derive(Debug)]
pub(super) struct Deployment<'t> {
    template: &'t Node,
    resources: Vec<Resource>,
    /// The senders that ingest will serve.
    pub(super) sources: &'t [Source],
    /// The destinations that process sends events to.
    pub(super) destinations: &'t [Destination],
}

/// An event source mapping from a queue to a function, of whatever notation.
#[derive(Debug)]
pub(super) struct Mapping<'d> {
    /// Properties of the mapping.
    pub(super) place: Place<'d>,
    pub(super) queue: &'d Resource,
    pub(super) function: &'d Resource,
}

/// Type of an endpoint, which decides which metric counts its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    FunctionUrl,
    HttpApi,
    RestApi,
}

/// An endpoint at which senders reach a function.
#[derive(Debug)]
pub(super) struct Endpoint<'d> {
    pub(super) door: Door,
    /// The resource or property that makes it.
    pub(super) place: Place<'d>,
    pub(super) function: &'d Resource,
}

impl<'t> Deployment<'t> {
    pub(super) fn new(
        template: &'t Node,
        choice: &Choice,
        sources: &'t [Source],
        destinations: &'t [Destination],
    ) -> Self {
        Self {
            template,
            resources: resolve::deployment(template, choice),
            sources,
            destinations,
        }
    }

    /// The resources of these types, of which the conditions hold.
    pub(super) fn of(&self, kinds: &[&str]) -> impl Iterator<Item = &Resource> {
        let kinds: Vec<_> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        self.resources
            .iter()
            .filter(move |one| one.exists && kinds.contains(&one.kind))
    }

    /// Every resource, of which the condition holds.
    pub(super) fn all(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|one| one.exists)
    }

    /// Every alarm, also an alarm that a parameter leaves out: leaving an alarm out is somebody's decision.
    pub(super) fn alarms(&self) -> impl Iterator<Item = Place<'_>> {
        let alarms = self.resources.iter();
        alarms
            .filter(|one| one.kind == "AWS::CloudWatch::Alarm")
            .map(Resource::properties)
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = &Resource> {
        self.of(&["AWS::Serverless::Function", "AWS::Lambda::Function"])
    }

    /// The declaration of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<Place<'_>> {
        let node = self.template.get("Parameters")?.get(name)?;
        Some(Place::new(format!("Parameters.{name}"), node))
    }

    /// The template as a place, for what is missing altogether.
    pub(super) fn root(&self) -> Option<Place<'_>> {
        let resources = self.template.get("Resources")?;
        Some(Place::new("Resources".to_owned(), resources))
    }

    /// The resource of one of these types that the place names, by reference or by its physical name.
    fn named(&self, place: &Place<'_>, kinds: &[&str]) -> Option<&Resource> {
        let id = place.target();
        let name = place.text();
        self.of(kinds).find(|one| {
            id == Some(&one.id) || name.is_some_and(|name| one.physical_name() == Some(name))
        })
    }

    /// Every mapping from a queue of this template to a function of this template.
    pub(super) fn mappings(&self) -> Vec<Mapping<'_>> {
        let functions = ["AWS::Serverless::Function", "AWS::Lambda::Function"];
        let queue = |place: &Place<'_>| self.named(place, &["AWS::SQS::Queue"]);
        let plain = self.of(&["AWS::Lambda::EventSourceMapping"]);
        let plain = plain.filter_map(|one| {
            let place = one.properties();
            Some(Mapping {
                queue: queue(&place.at("EventSourceArn"))?,
                function: self.named(&place.at("FunctionName"), &functions)?,
                place,
            })
        });
        let sam = self.of(&["AWS::Serverless::Function"]);
        let sam = sam.flat_map(|function| {
            let events = function.properties().at("Events").entries();
            let events = events.into_iter();
            events.filter_map(move |(_, event)| {
                let place = event.at("Properties");
                Some(Mapping {
                    queue: queue(&place.at("Queue")).filter(|_| event.at("Type").is("SQS"))?,
                    function,
                    place,
                })
            })
        });
        plain.chain(sam).collect()
    }

    /// Every way from outside to a function of this template.
    pub(super) fn endpoints(&self) -> Vec<Endpoint<'_>> {
        let functions = ["AWS::Serverless::Function", "AWS::Lambda::Function"];
        let plain = [
            ("AWS::Lambda::Url", "TargetFunctionArn", Door::FunctionUrl),
            (
                "AWS::ApiGatewayV2::Integration",
                "IntegrationUri",
                Door::HttpApi,
            ),
            ("AWS::ApiGateway::Method", "Integration.Uri", Door::RestApi),
        ];
        let mut endpoints = Vec::new();
        for (kind, key, door) in plain {
            endpoints.extend(self.of(&[kind]).filter_map(|one| {
                let place = one.properties();
                let function = self.named(&place.at(key), &functions)?;
                Some(Endpoint {
                    door,
                    place,
                    function,
                })
            }));
        }
        for function in self.of(&["AWS::Serverless::Function"]) {
            let properties = function.properties();
            let url = properties.at("FunctionUrlConfig");
            let events = properties.at("Events").entries().into_iter();
            let events = events.filter_map(|(_, event)| match event.at("Type").text()? {
                "HttpApi" => Some((Door::HttpApi, event)),
                "Api" => Some((Door::RestApi, event)),
                _ => None,
            });
            let doors = Some((Door::FunctionUrl, url)).filter(|(_, url)| !url.is_missing());
            endpoints.extend(
                doors
                    .into_iter()
                    .chain(events)
                    .map(|(door, place)| Endpoint {
                        door,
                        place,
                        function,
                    }),
            );
        }
        endpoints
    }

    /// The functions that senders reach, each once.
    pub(super) fn ingests(&self) -> Vec<&Resource> {
        let mut all: Vec<_> = self.endpoints().iter().map(|one| one.function).collect();
        all.sort_by_key(|one| &one.id);
        all.dedup_by_key(|one| &one.id);
        all
    }

    /// The queue that SQS moves the failed messages of a queue to, where it is of this template.
    pub(super) fn redrive_target(&self, queue: &Resource) -> Option<&Resource> {
        let target = queue.properties().at("RedrivePolicy.deadLetterTargetArn");
        self.named(&target, &["AWS::SQS::Queue"])
    }

    /// The dead-letter queue of a queue, behind its retry queue if it has one.
    pub(super) fn dead_letters(&self, queue: &Resource) -> Option<&Resource> {
        let next = self.redrive_target(queue)?;
        self.redrive_target(next).or(Some(next))
    }

    /// The queues between ingest and process, their retry queues and dead-letter queues, each once.
    pub(super) fn queues(&self) -> Vec<&Resource> {
        let mappings = self.mappings();
        let mut all: Vec<_> = mappings
            .iter()
            .flat_map(|mapping| {
                let queue = mapping.queue;
                [
                    Some(queue),
                    self.redrive_target(queue),
                    self.dead_letters(queue),
                ]
            })
            .flatten()
            .collect();
        all.sort_by_key(|one| &one.id);
        all.dedup_by_key(|one| &one.id);
        all
    }

    /// The tables that the functions of the receiver are told about in their environment, each once; not those of a handler,
    /// which stand beside Hookwell's.
    pub(super) fn tables(&self) -> Vec<&Resource> {
        let hookwells = self.tables_in(|variable| variable.starts_with("HOOKWELL_"));
        if hookwells.is_empty() {
            return self.tables_in(|_| true);
        }
        hookwells
    }

    /// The tables of documents, each once.
    pub(super) fn document_tables(&self) -> Vec<&Resource> {
        self.tables_in(|variable| variable == "HOOKWELL_DOCUMENTS_TABLE")
    }

    /// The tables that these variables of the functions name, each once.
    fn tables_in(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<&Resource> {
        let mut functions = self.ingests();
        functions.extend(self.mappings().iter().map(|mapping| mapping.function));
        let variables = functions.into_iter().flat_map(Resource::variables);
        let mut all: Vec<_> = variables
            .filter(|(variable, _)| is_wanted(variable))
            .filter_map(|(_, value)| self.named(&value, &TABLES))
            .collect();
        all.sort_by_key(|one| &one.id);
        all.dedup_by_key(|one| &one.id);
        all
    }

    /// The tables that process is told about besides Hookwell's own, each with the variable that names it.
    pub(super) fn own_tables(&self) -> Vec<(&str, &Resource)> {
        let mappings = self.mappings();
        let variables = mappings
            .iter()
            .flat_map(|mapping| mapping.function.variables());
        let own = variables.filter(|(variable, _)| !variable.starts_with("HOOKWELL_"));
        own.filter_map(|(variable, value)| Some((variable, self.named(&value, &TABLES)?)))
            .collect()
    }
}

impl Resource {
    pub(super) fn place(&self) -> Place<'_> {
        Place::new(format!("Resources.{}", self.id), &self.node)
    }

    pub(super) fn properties(&self) -> Place<'_> {
        self.place().at("Properties")
    }

    /// The environment of a function.
    pub(super) fn variables(&self) -> Vec<(&str, Place<'_>)> {
        self.properties().at("Environment.Variables").entries()
    }

    /// The name that the template gives it, if it does.
    pub(super) fn physical_name(&self) -> Option<&str> {
        let properties = self.properties();
        let names = ["QueueName", "FunctionName", "TableName", "LogGroupName"];
        names.iter().find_map(|key| properties.at(key).text())
    }
}
