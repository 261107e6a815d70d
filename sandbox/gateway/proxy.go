package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// rawCodec passes messages through as bytes: the gateway understands only the few fields that it records.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
func (rawCodec) Name() string { return "proto" }

func dialUpstream(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)),
	)
}

type proxy struct {
	upstream *grpc.ClientConn
	record   *record
	calls    atomic.Int64
}

// handle proxies one unary call (all of Temporal's are) and records it.
func (p *proxy) handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	from, _ := peer.FromContext(stream.Context())
	info := from.AuthInfo.(authInfo)
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	e := leafEvent(event{
		Kind: "rpc-start", Conn: info.id, Namespace: info.namespace, Frontend: info.frontend,
		Call: p.calls.Add(1), Method: method[strings.LastIndex(method, "/")+1:],
	}, info.leaf)
	describe(&e, request)
	p.record.write(e)
	response, trailer, err := p.forward(stream, method, request, info)
	e.Kind = "rpc-end"
	e.Code = status.Code(err).String()
	if err == nil && strings.HasPrefix(e.Method, "Poll") {
		e.Task = task(first(response, 1))
	}
	if err == nil && e.Method == "PollActivityTaskQueue" {
		e.Attempt = number(response, 13)
	}
	p.record.write(e)
	stream.SetTrailer(trailer)
	if err != nil {
		return err
	}
	return stream.SendMsg(&response)
}

func (p *proxy) forward(stream grpc.ServerStream, method string, request []byte, info authInfo) ([]byte, metadata.MD, error) {
	trust := info.trust.of(info.frontend, info.serverName)
	if trust == nil || !trust.admits(info.leaf) || !sameNamespace(method, request, info.namespace) {
		return nil, nil, status.Error(codes.PermissionDenied, "Request unauthorized.")
	}
	incoming, _ := metadata.FromIncomingContext(stream.Context())
	outgoing := incoming.Copy()
	for _, name := range []string{":authority", "content-type", "user-agent", "grpc-accept-encoding"} {
		outgoing.Delete(name)
	}
	ctx := metadata.NewOutgoingContext(stream.Context(), outgoing)
	var response []byte
	var header, trailer metadata.MD
	err := p.upstream.Invoke(ctx, method, &request, &response, grpc.Header(&header), grpc.Trailer(&trailer))
	if err == nil {
		header.Delete("content-type")
		_ = stream.SetHeader(header)
	}
	return response, trailer, err
}

// Requests of WorkflowService carry their namespace in field 1, but for these.
var withoutNamespace = map[string]bool{"GetSystemInfo": true, "GetClusterInfo": true, "ListNamespaces": true}

func sameNamespace(method string, request []byte, namespace string) bool {
	if !strings.HasPrefix(method, "/temporal.api.workflowservice.v1.") || withoutNamespace[method[strings.LastIndex(method, "/")+1:]] {
		return true
	}
	named := first(request, 1)
	if strings.Contains(method, "/Respond") || strings.Contains(method, "/RecordActivityTaskHeartbeat") {
		// Field 1 is the task token; the server knows the namespace from it.
		return true
	}
	return len(named) == 0 || string(named) == namespace
}

// describe takes the task queue, the identity and the task from the requests of pollers.
func describe(e *event, request []byte) {
	switch e.Method {
	case "PollWorkflowTaskQueue", "PollActivityTaskQueue":
		e.TaskQueue = string(first(first(request, 2), 1))
		e.Identity = string(first(request, 3))
	case "RespondWorkflowTaskCompleted", "RespondWorkflowTaskFailed", "RespondActivityTaskCompleted", "RespondActivityTaskFailed", "RespondActivityTaskCanceled":
		e.Task = task(first(request, 1))
	}
}

func task(token []byte) string {
	if len(token) == 0 {
		return ""
	}
	sum := sha256.Sum256(token)
	return hex.EncodeToString(sum[:8])
}

// first returns the content of the first length-delimited field with that number.
func first(message []byte, field protowire.Number) []byte {
	content, _ := protowire.ConsumeBytes(value(message, field, protowire.BytesType))
	return content
}

// number returns the first varint field with that number; 0 when there is none.
func number(message []byte, field protowire.Number) uint64 {
	found, size := protowire.ConsumeVarint(value(message, field, protowire.VarintType))
	if size < 0 {
		return 0
	}
	return found
}

// value returns the message from the value of the first such field on; nothing when there is none.
func value(message []byte, field protowire.Number, kind protowire.Type) []byte {
	for len(message) > 0 {
		found, has, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil
		}
		message = message[size:]
		if found == field && has == kind {
			return message
		}
		size = protowire.ConsumeFieldValue(found, has, message)
		if size < 0 {
			return nil
		}
		message = message[size:]
	}
	return nil
}
