package network

import (
	"errors"
	"strings"

	"nspawnkit/settings"
)

// noRelay takes DHCPRelay=, which makes the relay agents of all links one, with settings in networkd.conf(5).
func noRelay(_ *File, value string) error {
	if value == "" {
		return nil
	}
	return errors.New("networkd-lite relays by RelayTarget= of [DHCPServer] only")
}

// maxRelayAgent has room for both texts in an option, in bytes.
const maxRelayAgent = 120

// setRelayAgent takes "string:TEXT", the only form of RelayAgentCircuitId= and RelayAgentRemoteId=.
func setRelayAgent(into *string, value string) error {
	text, found := strings.CutPrefix(value, "string:")
	if value != "" && (!found || text == "" || len(text) > maxRelayAgent) {
		return errors.New("not string:TEXT with a text of at most 120 bytes")
	}
	*into = text
	return nil
}

// setBindToInterface takes whether the server hears only of the link. A relay agent hears of its server by another one in any case.
func setBindToInterface(f *File, value string) error {
	bind := true
	err := setBool(&bind, value)
	f.Config.Server.unbound = settings.Origin{}
	if err == nil && !bind {
		f.Config.Server.unbound = f.origin
	}
	return err
}

// finishRelay reports what a server does not do that is no relay agent.
func (f *File) finishRelay() {
	s := &f.Config.Server
	if s.unbound != (settings.Origin{}) && !s.RelayTarget.IsValid() {
		f.Problems = append(f.Problems, settings.Problem{Origin: s.unbound, Text: `[DHCPServer] BindToInterface=: networkd-lite supports only "yes" without RelayTarget=`})
	}
	s.unbound = settings.Origin{}
}
