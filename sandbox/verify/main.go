// verify ROOTS.pem CHAIN.pem: does Go, as Temporal Cloud's front ends do, verify the first certificate of CHAIN for client
// authentication, with the others of CHAIN as intermediates? Prints what Go read of every certificate, as JSON.
package main

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
)

type facts struct {
	// Serial is signed decimal.
	Serial     string               `json:"serial"`
	Subject    string               `json:"subject"`
	Issuer     string               `json:"issuer"`
	Signature  string               `json:"signature"`
	IsCA       bool                 `json:"isCa"`
	PathLen    int                  `json:"pathLen"`
	KeyUsage   x509.KeyUsage        `json:"keyUsage"`
	Purposes   []x509.ExtKeyUsage   `json:"purposes"`
	Extensions map[string]extension `json:"extensions"`
}

// extension: Value is the DER inside the octet string, hex, as the names above are.
type extension struct {
	Critical bool   `json:"critical"`
	Value    string `json:"value"`
}

func main() {
	roots, chain := read(os.Args[1]), read(os.Args[2])
	options := x509.VerifyOptions{
		Roots: pool(roots), Intermediates: pool(chain[1:]), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	_, err := chain[0].Verify(options)
	stop(err)
	stop(json.NewEncoder(os.Stdout).Encode(map[string][]facts{"roots": factsOf(roots), "chain": factsOf(chain)}))
}

func factsOf(certificates []*x509.Certificate) []facts {
	result := []facts{}
	for _, c := range certificates {
		extensions := map[string]extension{}
		for _, e := range c.Extensions {
			extensions[e.Id.String()] = extension{Critical: e.Critical, Value: hex.EncodeToString(e.Value)}
		}
		pathLen := c.MaxPathLen
		if pathLen == 0 && !c.MaxPathLenZero {
			pathLen = -1
		}
		result = append(result, facts{
			Serial: c.SerialNumber.String(), Subject: hex.EncodeToString(c.RawSubject), Issuer: hex.EncodeToString(c.RawIssuer),
			Signature: c.SignatureAlgorithm.String(), IsCA: c.BasicConstraintsValid && c.IsCA, PathLen: pathLen,
			KeyUsage: c.KeyUsage, Purposes: c.ExtKeyUsage, Extensions: extensions,
		})
	}
	return result
}

func pool(certificates []*x509.Certificate) *x509.CertPool {
	result := x509.NewCertPool()
	for _, c := range certificates {
		result.AddCert(c)
	}
	return result
}

func read(path string) []*x509.Certificate {
	rest, err := os.ReadFile(path)
	stop(err)
	var result []*x509.Certificate
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return result
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		stop(err)
		result = append(result, certificate)
	}
}

func stop(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
