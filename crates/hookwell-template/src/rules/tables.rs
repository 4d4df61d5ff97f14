//! The tables that the functions are told about. DynamoDB encrypts every table, so there is no rule for that.

use hookwell_aws::TTL_ATTRIBUTE;

use crate::deployment::Deployment;
use crate::report::Report;

pub(super) fn ttl_attribute(deployment: &Deployment<'_>, report: &mut Report) {
    for table in deployment.tables() {
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

pub(super) fn point_in_time_recovery(deployment: &Deployment<'_>, report: &mut Report) {
    for table in deployment.tables() {
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
    for table in deployment.document_tables() {
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
