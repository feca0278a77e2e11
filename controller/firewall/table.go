package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// priority is before that of Docker's own rules, which other tables have.
var priority = *nftables.ChainPriorityFilter - 10

// notThere is how a table differs that is missing.
const notThere = "it is not there"

// table is the table of a policy in one network namespace.
type table struct {
	name   string
	policy Policy
}

// differs describes in what the table of the kernel differs; empty when it is as it should be.
func (t table) differs() (string, error) {
	conn, err := nftables.New()
	if err != nil {
		return "", fmt.Errorf("connect to nftables: %w", err)
	}
	all, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return "", fmt.Errorf("list the tables of nftables: %w", err)
	}
	at := slices.IndexFunc(all, func(one *nftables.Table) bool { return one.Name == t.name })
	if at < 0 {
		return notThere, nil
	}
	if all[at].Flags != 0 {
		return "it is dormant", nil
	}
	have, err := conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return "", fmt.Errorf("list the chains of nftables: %w", err)
	}
	have = slices.DeleteFunc(have, func(c *nftables.Chain) bool { return c.Table.Name != t.name })
	want := t.policy.chains()
	if len(have) != len(want) {
		return fmt.Sprintf("it has %d chains and not %d", len(have), len(want)), nil
	}
	for _, c := range want {
		at := slices.IndexFunc(have, func(one *nftables.Chain) bool { return one.Name == c.name })
		if at < 0 || !c.is(have[at]) {
			return "the chain " + c.name + " is not as it was made", nil
		}
		rules, err := conn.GetRules(have[at].Table, have[at])
		if err != nil {
			return "", fmt.Errorf("list the rules of chain %s: %w", c.name, err)
		}
		if !slices.EqualFunc(c.rules, rules, func(want []expr.Any, have *nftables.Rule) bool { return same(want, have.Exprs) }) {
			return "the rules of chain " + c.name + " are others", nil
		}
	}
	return "", nil
}

// is reports whether a chain of the kernel is at the place of c.
func (c chain) is(have *nftables.Chain) bool {
	return have.Hooknum != nil && *have.Hooknum == *c.hook && have.Priority != nil && *have.Priority == priority &&
		have.Type == nftables.ChainTypeFilter && (have.Policy == nil || *have.Policy == nftables.ChainPolicyAccept)
}

// same compares expressions as the kernel has them.
func same(want, have []expr.Any) bool {
	return slices.EqualFunc(want, have, func(a, b expr.Any) bool {
		one, err := expr.Marshal(byte(nftables.TableFamilyINet), a)
		if err != nil {
			return false
		}
		other, err := expr.Marshal(byte(nftables.TableFamilyINet), b)
		return err == nil && bytes.Equal(one, other)
	})
}

// apply puts the table of the policy in the place of whatever is there, in one transaction.
func (t table) apply() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("connect to nftables: %w", err)
	}
	made := &nftables.Table{Name: t.name, Family: nftables.TableFamilyINet}
	conn.AddTable(made) // what is not there cannot be deleted
	conn.DelTable(made)
	conn.AddTable(made)
	accept := nftables.ChainPolicyAccept
	for _, c := range t.policy.chains() {
		base := conn.AddChain(&nftables.Chain{Name: c.name, Table: made, Type: nftables.ChainTypeFilter,
			Hooknum: c.hook, Priority: &priority, Policy: &accept})
		for _, rule := range c.rules {
			conn.AddRule(&nftables.Rule{Table: made, Chain: base, Exprs: rule})
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("write the table %s of nftables: %w", t.name, err)
	}
	return nil
}

// Tables returns the names of the tables that instances of Lightd have in this network namespace: of those
// whose daemon runs, and of those that are gone.
func Tables() ([]string, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("connect to nftables: %w", err)
	}
	all, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("list the tables of nftables: %w", err)
	}
	var names []string
	for _, t := range all {
		if strings.HasPrefix(t.Name, Prefix) {
			names = append(names, t.Name)
		}
	}
	return names, nil
}

// remove removes the table.
func (t table) remove() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("connect to nftables: %w", err)
	}
	conn.DelTable(&nftables.Table{Name: t.name, Family: nftables.TableFamilyINet})
	if err := conn.Flush(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the table %s of nftables: %w", t.name, err)
	}
	return nil
}

// why describes an error of nftables by what an operator can do about it.
func why(err error) string {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "the daemon lacks CAP_NET_ADMIN"
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EAFNOSUPPORT):
		return "the kernel has no nftables"
	}
	return err.Error()
}
