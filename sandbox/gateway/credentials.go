package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"sync/atomic"

	grpccredentials "google.golang.org/grpc/credentials"
)

// credentials does the TLS handshake of one connection: it picks the front end, then the namespace by SNI, and verifies
// the leaf as Go does for client authentication, so that the client sees Go's own alerts.
type credentials struct {
	certificate tls.Certificate
	trust       *trust
	record      *record
}

var connections atomic.Int64

// authInfo is what every RPC of the connection knows of it.
type authInfo struct {
	grpccredentials.CommonAuthInfo
	id         int64
	frontend   int
	serverName string
	leaf       *x509.Certificate
	namespace  string
	trust      *trust
}

func (authInfo) AuthType() string { return "mtls" }

func (c *credentials) ServerHandshake(raw net.Conn) (net.Conn, grpccredentials.AuthInfo, error) {
	id := connections.Add(1)
	frontend := c.trust.frontend()
	var presented *x509.Certificate
	var namespace *namespaceTrust
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			namespace = c.trust.of(frontend, hello.ServerName)
			if namespace == nil {
				return nil, errors.New("no namespace has the server name " + hello.ServerName)
			}
			return &tls.Config{
				MinVersion:   tls.VersionTLS13,
				Certificates: []tls.Certificate{c.certificate},
				NextProtos:   []string{"h2"},
				ClientAuth:   tls.RequireAndVerifyClientCert,
				ClientCAs:    namespace.roots,
				// A resumed session would be admitted without looking at its certificate again.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
	conn := tls.Server(raw, config)
	err := conn.Handshake()
	var name string
	if namespace != nil {
		name = namespace.namespace
	}
	if err != nil {
		var failed *tls.CertificateVerificationError
		if errors.As(err, &failed) && len(failed.UnverifiedCertificates) > 0 {
			presented = failed.UnverifiedCertificates[0]
		}
		c.record.write(leafEvent(event{Kind: "refused", Conn: id, Namespace: name, Frontend: frontend, Reason: err.Error()}, presented))
		_ = raw.Close()
		return nil, nil, err
	}
	presented = conn.ConnectionState().PeerCertificates[0]
	c.record.write(leafEvent(event{Kind: "connected", Conn: id, Namespace: name, Frontend: frontend}, presented))
	info := authInfo{
		CommonAuthInfo: grpccredentials.CommonAuthInfo{SecurityLevel: grpccredentials.PrivacyAndIntegrity},
		id:             id, frontend: frontend, leaf: presented, namespace: name, trust: c.trust,
		serverName: conn.ConnectionState().ServerName,
	}
	return conn, info, nil
}

func leafEvent(e event, leaf *x509.Certificate) event {
	if leaf != nil {
		sum := sha256.Sum256(leaf.Raw)
		e.Leaf = hex.EncodeToString(sum[:])
		e.Subject = leaf.Subject.String()
		e.Issuer = leaf.Issuer.String()
	}
	return e
}

func (c *credentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, grpccredentials.AuthInfo, error) {
	return nil, nil, errors.New("the gateway is a server")
}
func (c *credentials) Info() grpccredentials.ProtocolInfo {
	return grpccredentials.ProtocolInfo{SecurityProtocol: "tls"}
}
func (c *credentials) Clone() grpccredentials.TransportCredentials { return c }
func (c *credentials) OverrideServerName(string) error             { return nil }
