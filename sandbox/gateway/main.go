// The sandbox's gateway: mutual TLS per namespace, by SNI, in front of a Temporal dev server, as Temporal Cloud has it.
// It is written in Go because Temporal Cloud's own front ends are: the same TLS alerts, the same maximum connection age.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// Config is read from the file that the only argument names.
type Config struct {
	Dir                  string  `json:"dir"`
	Upstream             string  `json:"upstream"`
	RecordFile           string  `json:"recordFile"`
	ControlToken         string  `json:"controlToken"`
	FrontendDelaysMs     []int64 `json:"frontendDelaysMs"`
	ConnectionAgeMs      int64   `json:"connectionAgeMs"`
	ConnectionAgeGraceMs int64   `json:"connectionAgeGraceMs"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run() error {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var config Config
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	record, err := openRecord(config.RecordFile)
	if err != nil {
		return err
	}
	certificate, err := serverCertificate(config.Dir)
	if err != nil {
		return err
	}
	trust := newTrust(config.FrontendDelaysMs, record)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	upstream, err := dialUpstream(config.Upstream)
	if err != nil {
		return err
	}
	proxy := &proxy{upstream: upstream, record: record}
	server := grpc.NewServer(
		grpc.Creds(&credentials{certificate: certificate, trust: trust, record: record}),
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.UnknownServiceHandler(proxy.handle),
		grpc.StatsHandler(&connectionStats{record: record}),
		grpc.MaxRecvMsgSize(64<<20),
		grpc.MaxSendMsgSize(64<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge:      time.Duration(config.ConnectionAgeMs) * time.Millisecond,
			MaxConnectionAgeGrace: time.Duration(config.ConnectionAgeGraceMs) * time.Millisecond,
		}),
	)
	go func() { _ = http.Serve(control, controlHandler(config.ControlToken, trust)) }()
	go stopWithParent(server)
	ready, _ := json.Marshal(map[string]string{"address": listener.Addr().String(), "control": control.Addr().String()})
	if err := os.WriteFile(filepath.Join(config.Dir, "gateway.json"), ready, 0o600); err != nil {
		return err
	}
	return server.Serve(listener)
}

// The driver holds our standard input open; when it ends, however it ends, so do we.
func stopWithParent(server *grpc.Server) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Stop()
	os.Exit(0)
}

func controlHandler(token string, trust *trust) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /namespaces/{namespace}", func(response http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "Bearer "+token {
			http.Error(response, "wrong token", http.StatusUnauthorized)
			return
		}
		var change change
		if err := json.NewDecoder(request.Body).Decode(&change); err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
			return
		}
		if err := trust.put(request.PathValue("namespace"), change); err != nil {
			http.Error(response, err.Error(), http.StatusBadRequest)
			return
		}
		response.WriteHeader(http.StatusNoContent)
	})
	return mux
}
