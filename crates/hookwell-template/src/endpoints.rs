//! The ways from outside to the functions of a template.

use crate::deployment::Deployment;
use crate::gateway;
use crate::place::Place;
use crate::resolve::Resource;

/// Type of an endpoint, which decides which metric counts its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    FunctionUrl,
    HttpApi,
    RestApi,
    LoadBalancer,
}

/// An endpoint at which senders reach a function.
#[derive(Debug)]
pub(super) struct Endpoint<'d> {
    pub(super) door: Door,
    /// The resource or property that makes it.
    pub(super) place: Place<'d>,
    pub(super) function: &'d Resource,
    /// True where nobody can post.
    is_read_only: bool,
    /// True where the sender is answered before the function runs.
    pub(super) is_async: bool,
}

/// Every way from outside to a function of this template. Paths of one API that lead to one function are one way.
pub(super) fn endpoints<'d>(deployment: &'d Deployment<'_>) -> Vec<Endpoint<'d>> {
    let mut endpoints: Vec<Endpoint<'d>> = Vec::new();
    let mut add = |one: Endpoint<'d>| {
        let is_same = |other: &&mut Endpoint<'d>| {
            (other.door, &other.function.id) == (one.door, &one.function.id)
        };
        match endpoints.iter_mut().find(is_same) {
            Some(known) if known.is_read_only && !one.is_read_only => *known = one,
            Some(known) => known.is_async &= one.is_async || one.is_read_only,
            None => endpoints.push(one),
        }
    };
    let posted = |door, place: Place<'d>, function: &'d Resource| Endpoint {
        door,
        place,
        function,
        is_read_only: false,
        is_async: false,
    };
    for one in deployment.of(&["AWS::Lambda::Url"]) {
        let place = one.properties();
        let function = deployment.function(&place.at("TargetFunctionArn"));
        if let Some(function) = function {
            add(posted(Door::FunctionUrl, place, function));
        }
    }
    for one in gateway::integrations(deployment) {
        let door = if one.is_http_api {
            Door::HttpApi
        } else {
            Door::RestApi
        };
        let (is_read_only, is_async) = (one.is_read_only, one.is_async());
        if let Some(function) = deployment.function(&one.uri) {
            add(Endpoint {
                is_read_only,
                is_async,
                ..posted(door, one.place, function)
            });
        }
    }
    for one in deployment.of(&["AWS::ElasticLoadBalancingV2::TargetGroup"]) {
        for target in one.properties().at("Targets").elements() {
            if let Some(function) = deployment.function(&target.at("Id")) {
                add(posted(Door::LoadBalancer, one.properties(), function));
            }
        }
    }
    for function in deployment.of(&["AWS::Serverless::Function"]) {
        let properties = function.properties();
        let url = properties.at("FunctionUrlConfig");
        if !url.is_missing() {
            add(posted(Door::FunctionUrl, url, function));
        }
        for (_, event) in properties.at("Events").entries() {
            let door = match event.at("Type").text() {
                Some("HttpApi") => Door::HttpApi,
                Some("Api") => Door::RestApi,
                _ => continue,
            };
            let is_read_only = gateway::is_read_only(event.at("Properties.Method").text());
            add(Endpoint {
                is_read_only,
                ..posted(door, event, function)
            });
        }
    }
    endpoints
}

/// The endpoints to which senders can post. Where some functions are Hookwell's, the others serve something else.
pub(super) fn receiving<'d>(deployment: &'d Deployment<'_>) -> Vec<Endpoint<'d>> {
    let mut all = endpoints(deployment);
    all.retain(|one| !one.is_read_only);
    if all.iter().any(|one| one.function.is_hookwells()) {
        all.retain(|one| one.function.is_hookwells());
    }
    all
}

/// The functions that senders reach, each once.
pub(super) fn ingests<'d>(deployment: &'d Deployment<'_>) -> Vec<&'d Resource> {
    let endpoints = receiving(deployment);
    let mut all: Vec<_> = endpoints.iter().map(|one| one.function).collect();
    all.sort_by_key(|one| &one.id);
    all.dedup_by_key(|one| &one.id);
    all
}
