package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Filter is a certificate filter: all given fields must match.
type Filter struct {
	CommonName             string `json:"commonName"`
	Organization           string `json:"organization"`
	OrganizationalUnit     string `json:"organizationalUnit"`
	SubjectAlternativeName string `json:"subjectAlternativeName"`
}

type change struct {
	ServerName string   `json:"serverName"`
	BundlePem  string   `json:"bundlePem"`
	Filters    []Filter `json:"filters"`
	// Immediate: effective at every front end at once; only for the first setting.
	Immediate bool `json:"immediate"`
}

type namespaceTrust struct {
	namespace string
	roots     *x509.CertPool
	filters   []Filter
}

// trust is what each front end believes of each namespace. A change reaches every front end after its own delay.
type trust struct {
	record *record
	delays []time.Duration
	next   atomic.Int64
	mutex  sync.RWMutex
	// byServerName[front end][server name]
	byServerName []map[string]*namespaceTrust
}

func newTrust(delaysMs []int64, record *record) *trust {
	result := &trust{record: record}
	for _, delay := range delaysMs {
		result.delays = append(result.delays, time.Duration(delay)*time.Millisecond)
		result.byServerName = append(result.byServerName, map[string]*namespaceTrust{})
	}
	return result
}

func (t *trust) put(namespace string, change change) error {
	roots := x509.NewCertPool()
	rest := []byte(change.BundlePem)
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		roots.AddCert(certificate)
	}
	if change.ServerName == "" {
		return errors.New("serverName is missing")
	}
	effective := &namespaceTrust{namespace: namespace, roots: roots, filters: change.Filters}
	for frontend, delay := range t.delays {
		if change.Immediate {
			delay = 0
		}
		apply := func() {
			t.mutex.Lock()
			t.byServerName[frontend][change.ServerName] = effective
			t.mutex.Unlock()
			t.record.write(event{Kind: "trust-effective", Namespace: namespace, Frontend: frontend})
		}
		if delay == 0 {
			apply()
		} else {
			time.AfterFunc(delay, apply)
		}
	}
	return nil
}

// frontend takes the front ends in turn, as a load balancer does.
func (t *trust) frontend() int {
	return int(t.next.Add(1)) % len(t.delays)
}

func (t *trust) of(frontend int, serverName string) *namespaceTrust {
	t.mutex.RLock()
	defer t.mutex.RUnlock()
	return t.byServerName[frontend][serverName]
}

// admits: no filters admit everybody; otherwise any filter of which all given fields match.
func (n *namespaceTrust) admits(leaf *x509.Certificate) bool {
	if len(n.filters) == 0 {
		return true
	}
	for _, filter := range n.filters {
		if filter.matches(leaf) {
			return true
		}
	}
	return false
}

func (f Filter) matches(leaf *x509.Certificate) bool {
	names := append([]string{}, leaf.DNSNames...)
	for _, uri := range leaf.URIs {
		names = append(names, uri.String())
	}
	return matchesAny(f.CommonName, []string{leaf.Subject.CommonName}) &&
		matchesAny(f.Organization, leaf.Subject.Organization) &&
		matchesAny(f.OrganizationalUnit, leaf.Subject.OrganizationalUnit) &&
		matchesAny(f.SubjectAlternativeName, names)
}

func matchesAny(pattern string, values []string) bool {
	if pattern == "" {
		return true
	}
	pattern = strings.ToLower(pattern)
	for _, value := range values {
		value = strings.ToLower(value)
		switch {
		case strings.HasPrefix(pattern, "*"):
			if strings.HasSuffix(value, pattern[1:]) {
				return true
			}
		case strings.HasSuffix(pattern, "*"):
			if strings.HasPrefix(value, pattern[:len(pattern)-1]) {
				return true
			}
		case value == pattern:
			return true
		}
	}
	return false
}
