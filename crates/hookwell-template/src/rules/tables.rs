//! The tables that the functions are told about. DynamoDB encrypts every table, so there is no rule for that.

use hookwell_aws::{EVENTS_INDEX, TTL_ATTRIBUTE};

use crate::deployment::{Deployment, OWN_VARIABLES};
use crate::endpoints;
use crate::place::Place;
use crate::report::Report;
use crate::resolve::Resource;

pub(super) fn ttl_attribute(deployment: &Deployment<'_>, report: &mut Report) {
    for table in known(deployment, |variable| variable.starts_with(OWN_VARIABLES)) {
        let ttl = table.properties().at("TimeToLiveSpecification");
        let name = ttl.at("AttributeName");
        let enabled = ttl.at("Enabled");
        if !name.may_be(TTL_ATTRIBUTE) {
            let message = match name.text() {
                Some(other) => {
                    format!("is {other}, but the code writes {TTL_ATTRIBUTE}: name that")
                }
                None => format!("is missing: name {TTL_ATTRIBUTE}, which the code writes"),
            };
            report.problem(&name, message);
        } else if !enabled.may_be("true") {
            report.problem(&enabled, "is not true, so nothing is deleted: set it");
        }
    }
}

pub(super) fn events_index(deployment: &Deployment<'_>, report: &mut Report) {
    for table in known(deployment, |variable| variable == "HOOKWELL_EVENTS_TABLE") {
        let indexes = table.properties().at("GlobalSecondaryIndexes");
        let is_it = |index: &Place<'_>| index.at("IndexName").may_be(EVENTS_INDEX);
        if !indexes.elements().iter().any(is_it) {
            let message = format!(
                "has no index {EVENTS_INDEX}: copy GlobalSecondaryIndexes and AttributeDefinitions of Hookwell's events table"
            );
            report.problem(&indexes, message);
        }
    }
}

pub(super) fn point_in_time_recovery(deployment: &Deployment<'_>, report: &mut Report) {
    for table in all(deployment) {
        let specification = table.properties().at("PointInTimeRecoverySpecification");
        let place = specification.at("PointInTimeRecoveryEnabled");
        if !place.may_be("true") {
            let message =
                "is not true, so the table cannot be brought back to an earlier state: set it";
            report.problem(&place, message);
        }
    }
}

pub(super) fn documents_kept(deployment: &Deployment<'_>, report: &mut Report) {
    for table in known(deployment, |variable| {
        variable == "HOOKWELL_DOCUMENTS_TABLE"
    }) {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            let place = table.place().at(policy);
            if !place.may_be("Retain") {
                report.problem(
                    &place,
                    "is not Retain, so CloudFormation deletes the documents with the table: set it",
                );
            }
        }
        let place = table.properties().at("DeletionProtectionEnabled");
        if !place.may_be("true") {
            let message = "is not true, so one call deletes the documents: set it";
            report.problem(&place, message);
        }
    }
}

/// Hookwell's tables; where nothing is Hookwell's, all tables of the functions that receive or process. A handler's own tables
/// stand beside Hookwell's and are not looked at.
fn all<'d>(deployment: &'d Deployment<'_>) -> Vec<&'d Resource> {
    let is_hookwells = deployment.is_hookwells();
    known(deployment, |variable| {
        !is_hookwells || variable.starts_with(OWN_VARIABLES)
    })
}

/// The tables that these variables of the functions that receive or process name.
fn known<'d>(
    deployment: &'d Deployment<'_>,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<&'d Resource> {
    let mut functions = endpoints::ingests(deployment);
    let mappings = deployment.mappings();
    functions.extend(mappings.iter().map(|mapping| mapping.function));
    deployment.tables(&functions, is_wanted)
}
