package kernel

import (
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Only tables, chains and rules of others are worth a look.
func TestIsOthers(t *testing.T) {
	message := func(kind uint16, table string) netlink.Message {
		name, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_TABLE_NAME, Data: append([]byte(table), 0)}})
		if err != nil {
			t.Fatal(err)
		}
		return netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind)}, Data: append(make([]byte, 4), name...),
		}
	}
	for _, test := range []struct {
		kind  uint16
		table string
		want  bool
	}{
		{unix.NFT_MSG_NEWTABLE, "filter", true},
		{unix.NFT_MSG_DELCHAIN, "filter", true},
		{unix.NFT_MSG_NEWRULE, "filter", true},
		{unix.NFT_MSG_DELRULE, "nspawnkit-2", true},
		{unix.NFT_MSG_NEWRULE, TableName, false},
		{unix.NFT_MSG_NEWSETELEM, "filter", false},
		{unix.NFT_MSG_DELSETELEM, "f2b-table", false},
		{unix.NFT_MSG_NEWGEN, "", false},
	} {
		if got := isOthers(message(test.kind, test.table)); got != test.want {
			t.Errorf("message %d of %q: %v", test.kind, test.table, got)
		}
	}
	if isOthers(netlink.Message{}) {
		t.Error("an empty message")
	}
}
