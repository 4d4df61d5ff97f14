// The checks and the two writes of a receiver, as a Go developer would write them, with a runtime client of its own:
// AWS's is not packaged by Debian.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

type request struct {
	Body            string            `json:"body"`
	Headers         map[string]string `json:"headers"`
	RawPath         string            `json:"rawPath"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type answer struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
		Object struct {
			ID string `json:"id"`
		} `json:"object"`
	} `json:"data"`
}

type receiver struct {
	secret, table, queue string
	dynamodb             *dynamodb.Client
	sqs                  *sqs.Client
}

func say(status int, body string) answer {
	headers := map[string]string{"content-type": "application/json", "x-content-type-options": "nosniff"}
	return answer{status, headers, body, false}
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

func (r *receiver) receive(ctx context.Context, in request) answer {
	if in.RawPath != "/webhooks/resource" {
		return say(404, `{"error":"Unknown source"}`)
	}
	text := []byte(in.Body)
	if in.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(in.Body)
		if err != nil {
			return say(400, `{"error":"Malformed request"}`)
		}
		text = decoded
	}
	mac := hmac.New(sha256.New, []byte(r.secret))
	mac.Write(text)
	given, err := hex.DecodeString(in.Headers["x-webhook-signature"])
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return say(401, `{"error":"Invalid signature"}`)
	}
	var ev event
	if err := json.Unmarshal(text, &ev); err != nil || ev.ID == "" || ev.Type == "" || ev.Data.Object.ID == "" {
		return say(400, `{"error":"Invalid event payload"}`)
	}
	key := "resource#" + sum([]byte(ev.ID))
	isFinished, err := r.remember(ctx, key, text, ev)
	if err != nil {
		return say(503, `{"error":"Temporarily unavailable"}`)
	}
	if isFinished {
		return say(200, `{"status":"duplicate"}`)
	}
	message, _ := json.Marshal(map[string]string{
		"key": key, "source": "resource", "id": ev.ID, "type": ev.Type, "body": string(text),
	})
	_, err = r.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &r.queue, MessageBody: aws.String(string(message))})
	if err != nil {
		return say(503, `{"error":"Temporarily unavailable"}`)
	}
	return say(200, `{"status":"received"}`)
}

func (r *receiver) remember(ctx context.Context, key string, text []byte, ev event) (bool, error) {
	s := func(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }
	n := func(value int64) types.AttributeValue {
		return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
	}
	now := time.Now()
	_, err := r.dynamodb.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &r.table,
		Item: map[string]types.AttributeValue{
			"pk": s(key), "status": s("pending"), "source": s("resource"), "event_id": s(ev.ID), "type": s(ev.Type),
			"operation": s("create"), "document_type": s("resource"), "document_id": s(ev.Data.Object.ID),
			"body_hash": s(sum(text)), "received_at": n(now.UnixMilli()), "expires_at": n(now.Unix() + 35*86_400),
		},
		ConditionExpression:       aws.String("attribute_not_exists(pk) OR expires_at < :now"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":now": n(now.Unix())},
	})
	var exists *types.ConditionalCheckFailedException
	if !errors.As(err, &exists) {
		return false, err
	}
	// This SDK is too old to be told the record in the refusal.
	key1 := map[string]types.AttributeValue{"pk": s(key)}
	got, err := r.dynamodb.GetItem(ctx, &dynamodb.GetItemInput{TableName: &r.table, Key: key1})
	if err != nil {
		return false, err
	}
	status, _ := got.Item["status"].(*types.AttributeValueMemberS)
	return status != nil && status.Value == "done", nil
}

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	r := &receiver{
		secret: os.Getenv("HOOKWELL_SECRET_RESOURCE"),
		table:  os.Getenv("HOOKWELL_EVENTS_TABLE"),
		queue:  os.Getenv("HOOKWELL_QUEUE_URL"),
		// This SDK does not read the endpoints' variables.
		dynamodb: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
			o.EndpointResolver = dynamodb.EndpointResolverFromURL(os.Getenv("AWS_ENDPOINT_URL_DYNAMODB"))
		}),
		sqs: sqs.NewFromConfig(cfg, func(o *sqs.Options) {
			o.EndpointResolver = sqs.EndpointResolverFromURL(os.Getenv("AWS_ENDPOINT_URL_SQS"))
		}),
	}
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			log.Fatal(err)
		}
		var in request
		err = json.NewDecoder(next.Body).Decode(&in)
		next.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		body, _ := json.Marshal(r.receive(ctx, in))
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		taken, err := http.Post(api+id+"/response", "application/json", bytes.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, taken.Body)
		taken.Body.Close()
	}
}
