//! The functions, queues and tables that a template deploys, found by type and wiring, never by the names that somebody
//! gave.

use std::borrow::Cow;

use hookwell::deliver::Destination;
use hookwell::source::Source;

use super::node::Node;
use super::place::Place;
use super::resolve::{self, Choice, Resource};

/// The types of a table.
pub(super) const TABLES: [&str; 2] = ["AWS::DynamoDB::Table", "AWS::Serverless::SimpleTable"];

/// The types of a function.
const FUNCTIONS: [&str; 2] = ["AWS::Serverless::Function", "AWS::Lambda::Function"];

/// The types that stand for a function by its `FunctionName`.
const VERSIONS: [&str; 2] = ["AWS::Lambda::Alias", "AWS::Lambda::Version"];

/// The types whose resources are in another template.
const NESTED: [&str; 2] = ["AWS::CloudFormation::Stack", "AWS::Serverless::Application"];

/// Properties that name a resource.
const NAMES: [&str; 5] = [
    "QueueName",
    "FunctionName",
    "TableName",
    "LogGroupName",
    "BucketName",
];

/// Start of the names of the variables that Hookwell's functions read.
pub(super) const OWN_VARIABLES: &str = "HOOKWELL_";

/// A template resolved for one choice of its parameters.
#[derive(Debug)]
pub(super) struct Deployment<'t> {
    template: &'t Node,
    resources: Vec<Resource>,
    outputs: Node,
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
            outputs: resolve::outputs(template, choice),
            sources,
            destinations,
        }
    }

    /// The resources of these types, of which the conditions hold.
    pub(super) fn of(&self, kinds: &[&str]) -> impl Iterator<Item = &Resource> + use<'_> {
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
        self.of(&FUNCTIONS)
    }

    /// True where a function reads a variable of Hookwell, so that it is known what its code does.
    pub(super) fn is_hookwells(&self) -> bool {
        self.functions().any(Resource::is_hookwells)
    }

    /// The value that a variable has in Hookwell's functions, by the first that has it.
    pub(super) fn variable(&self, name: &str) -> Option<Place<'_>> {
        let mut all = self.functions().flat_map(Resource::variables);
        all.find_map(|(variable, value)| (variable == name).then_some(value))
    }

    /// The resources whose own resources are in another template.
    pub(super) fn nested(&self) -> impl Iterator<Item = &Resource> {
        self.of(&NESTED)
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

    /// The outputs, of which the conditions hold.
    pub(super) fn outputs(&self) -> Place<'_> {
        Place::new("Outputs".to_owned(), &self.outputs)
    }

    /// The resource of one of these types that the place names: by reference, by its physical name, or by an ARN or URL that
    /// ends with that name.
    pub(super) fn named(&self, place: &Place<'_>, kinds: &[&str]) -> Option<&Resource> {
        let ids = place.targets();
        let by_id = self.of(kinds).find(|one| ids.contains(&&*one.id));
        by_id.or_else(|| {
            let name = place.name()?;
            self.of(kinds).find(|one| one.answers_to(&name))
        })
    }

    /// The function that the place names, by itself or by a version or an alias of the function.
    pub(super) fn function(&self, place: &Place<'_>) -> Option<&Resource> {
        self.named(place, &FUNCTIONS).or_else(|| {
            let version = self.named(place, &VERSIONS)?;
            self.named(&version.properties().at("FunctionName"), &FUNCTIONS)
        })
    }

    /// Every mapping from a queue of this template to a function of this template.
    pub(super) fn mappings(&self) -> Vec<Mapping<'_>> {
        let sources = self.queue_sources().into_iter();
        sources
            .filter_map(|(place, queue, function)| {
                Some(Mapping {
                    queue: self.named(&queue, &["AWS::SQS::Queue"])?,
                    function: function?,
                    place,
                })
            })
            .collect()
    }

    /// The places that name a queue or a function of an event source which the template does not show.
    pub(super) fn hidden_sources(&self) -> Vec<Place<'_>> {
        let sources = self.queue_sources().into_iter();
        let hidden = sources.filter_map(|(place, queue, function)| {
            let is_of_queue = self.named(&queue, &["AWS::SQS::Queue"]).is_some();
            if !is_of_queue && self.may_be_hidden_queue(&place, &queue) {
                return Some(queue);
            }
            (is_of_queue && function.is_none()).then(|| place.at("FunctionName"))
        });
        hidden.collect()
    }

    /// True for an event source that may be a queue of another template, as far as this one tells.
    fn may_be_hidden_queue(&self, mapping: &Place<'_>, source: &Place<'_>) -> bool {
        // Streams begin somewhere, queues do not.
        if source.is_missing() || !mapping.at("StartingPosition").is_missing() {
            return false;
        }
        let is_of_other_service = |arn: &str| arn.starts_with("arn:") && !arn.contains(":sqs:");
        let ids = source.targets();
        let mut named = self.resources.iter().filter(|one| ids.contains(&&*one.id));
        named.all(|one| NESTED.contains(&&*one.kind) || one.kind.starts_with("Custom::"))
            && !source.name().is_some_and(|name| is_of_other_service(&name))
    }

    /// Every event source that may be a queue: its properties, the place that names the queue, and the function.
    fn queue_sources(&self) -> Vec<(Place<'_>, Place<'_>, Option<&Resource>)> {
        let plain = self.of(&["AWS::Lambda::EventSourceMapping"]).map(|one| {
            let place = one.properties();
            let function = self.function(&place.at("FunctionName"));
            (place.clone(), place.at("EventSourceArn"), function)
        });
        let sam = self.of(&["AWS::Serverless::Function"]);
        let sam = sam.flat_map(|function| {
            let events = function.properties().at("Events").entries().into_iter();
            let events = events.filter(|(_, event)| event.at("Type").is("SQS"));
            events.map(move |(_, event)| {
                let place = event.at("Properties");
                (place.clone(), place.at("Queue"), Some(function))
            })
        });
        plain.chain(sam).collect()
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

    /// The tables that these variables of these functions name, each once.
    pub(super) fn tables<'d>(
        &'d self,
        functions: &[&'d Resource],
        is_wanted: impl Fn(&str) -> bool,
    ) -> Vec<&'d Resource> {
        let variables = functions.iter().flat_map(|one| one.variables());
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

    /// True for a function that reads a variable of Hookwell.
    pub(super) fn is_hookwells(&self) -> bool {
        let variables = self.variables();
        variables
            .iter()
            .any(|(name, _)| name.starts_with(OWN_VARIABLES))
    }

    /// The name that the template gives it, if it does.
    pub(super) fn physical_name(&self) -> Option<Cow<'_, str>> {
        let properties = self.properties();
        NAMES.iter().find_map(|key| properties.at(key).name())
    }

    /// True for its physical name, and for an ARN or URL that ends with the name.
    fn answers_to(&self, name: &str) -> bool {
        self.physical_name().is_some_and(|own| {
            let before = name.strip_suffix(&*own);
            before.is_some_and(|before| before.is_empty() || before.ends_with([':', '/']))
        })
    }
}
