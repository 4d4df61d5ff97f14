//! The tables of a project's own handler, read from its template.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use hookwell_template::own_tables;
use serde_json::json;

const SHIPPED: &str = include_str!("../../../template.yaml");

const TEMPLATE: &str = "
Transform: AWS::Serverless-2016-10-31
Parameters:
  Unit: {Type: String, Default: S}
Globals:
  Function:
    Environment:
      Variables: {HOOKWELL_EVENTS_TABLE: !Ref EventsTable}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  EventsTable: {Type: AWS::DynamoDB::Table}
  Nobodys: {Type: AWS::DynamoDB::Table}
  Receipts:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PROVISIONED
      AttributeDefinitions:
        - {AttributeName: payment, AttributeType: !Ref Unit}
        - {AttributeName: at, AttributeType: N}
      KeySchema:
        - {AttributeName: payment, KeyType: HASH}
        - {AttributeName: at, KeyType: RANGE}
      GlobalSecondaryIndexes:
        - IndexName: by-time
          KeySchema: [{AttributeName: at, KeyType: HASH}]
          Projection: {ProjectionType: ALL}
          ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}
  Notes: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: notes}}
  Process:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Batch: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
      Environment:
        Variables:
          HOOKWELL_DOCUMENTS_TABLE: !Ref EventsTable
          RECEIPTS_TABLE: !Ref Receipts
          NOTES_TABLE: !Ref Notes
          MAIL_URL: https://mail.example.com
";

#[test]
fn the_variables_of_process_say_which_tables_a_handler_has() {
    let tables = own_tables(TEMPLATE).unwrap();
    let names: Vec<_> = tables
        .iter()
        .map(|table| (table.variable.as_str(), table.name.as_str()))
        .collect();
    assert_eq!(
        names,
        [("RECEIPTS_TABLE", "Receipts"), ("NOTES_TABLE", "notes")]
    );
    assert_eq!(
        tables[0].definition,
        json!({
            "TableName": "Receipts",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                { "AttributeName": "payment", "AttributeType": "S" },
                { "AttributeName": "at", "AttributeType": "N" },
            ],
            "KeySchema": [
                { "AttributeName": "payment", "KeyType": "HASH" },
                { "AttributeName": "at", "KeyType": "RANGE" },
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-time",
                "KeySchema": [{ "AttributeName": "at", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "ALL" },
            }],
        })
    );
    let key = json!([{ "AttributeName": "id", "KeyType": "HASH" }]);
    assert_eq!(tables[1].definition["KeySchema"], key);
}

/// Hookwell's tables are made without a template.
#[test]
fn the_tables_of_the_shipped_template_are_no_handlers() {
    let tables = own_tables(SHIPPED).unwrap().into_iter();
    let hookwells = tables.filter(|table| table.variable.starts_with("HOOKWELL_"));
    assert_eq!(hookwells.count(), 0);
}
