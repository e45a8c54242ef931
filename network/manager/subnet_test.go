package manager

import (
	"fmt"
	"strings"
	"testing"
)

// counting counts what is saved.
type counting struct {
	*host
	saves map[string]int
}

func (c *counting) Save(name string, data []byte) error {
	c.saves[name]++
	return c.host.Save(name, data)
}

// The subnets of links that come together are written together.
func TestManyLinks(t *testing.T) {
	h := newHost(t)
	m := h.start()
	c := &counting{host: h, saves: map[string]int{}}
	m.State = c
	for i := range 40 {
		h.add(3+i, fmt.Sprint("ve-", i), "veth")
	}
	m.Reconcile(t.Context())
	if c.saves[SubnetsFile] != 1 {
		t.Errorf("subnets were saved %d times", c.saves[SubnetsFile])
	}
	if got := strings.Count(string(h.saved[SubnetsFile]), "ve-"); got != 40 {
		t.Errorf("%d subnets saved: %s", got, h.saved[SubnetsFile])
	}
}
