package main

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"
)

// event is one line of the record: which certificate each connection used, and what each call came to. The tests' ground
// truth; it holds no key material.
type event struct {
	// T is milliseconds since the epoch, from a monotonic clock.
	T         float64 `json:"t"`
	Kind      string  `json:"kind"`
	Conn      int64   `json:"conn,omitempty"`
	Namespace string  `json:"namespace,omitempty"`
	Frontend  int     `json:"frontend"`
	Leaf      string  `json:"leaf,omitempty"`
	Subject   string  `json:"subject,omitempty"`
	Issuer    string  `json:"issuer,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	Call      int64   `json:"call,omitempty"`
	Method    string  `json:"method,omitempty"`
	Code      string  `json:"code,omitempty"`
	TaskQueue string  `json:"taskQueue,omitempty"`
	Identity  string  `json:"identity,omitempty"`
	Task      string  `json:"task,omitempty"`
	// Attempt of the activity that a poll was given; 1 for the first.
	Attempt uint64 `json:"attempt,omitempty"`
}

type record struct {
	mutex sync.Mutex
	file  *os.File
	start time.Time
}

func openRecord(path string) (*record, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &record{file: file, start: time.Now()}, err
}

func (r *record) write(e event) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	e.T = float64(r.start.UnixMicro())/1000 + float64(time.Since(r.start).Microseconds())/1000
	line, _ := json.Marshal(e)
	_, _ = r.file.Write(append(line, '\n'))
}

// connectionStats records the end of each connection.
type connectionStats struct{ record *record }

func (s *connectionStats) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return ctx
}

func (s *connectionStats) HandleConn(ctx context.Context, stat stats.ConnStats) {
	if _, ended := stat.(*stats.ConnEnd); !ended {
		return
	}
	if from, ok := peer.FromContext(ctx); ok {
		if info, ok := from.AuthInfo.(authInfo); ok {
			s.record.write(leafEvent(event{Kind: "closed", Conn: info.id, Namespace: info.namespace, Frontend: info.frontend}, info.leaf))
		}
	}
}

func (s *connectionStats) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return ctx
}
func (s *connectionStats) HandleRPC(context.Context, stats.RPCStats) {}
