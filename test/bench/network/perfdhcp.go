package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is what perfdhcp says after a run.
type report struct {
	discovers, offers, requests, acks int
	offerTimes, ackTimes              []time.Duration // from the question to the answer, sorted; with -x t only
}

// perfdhcp runs it as a relay agent among the clients, for a number of seconds and at most so many exchanges (0: no bound).
func (s subnet) perfdhcp(clients, rate, seconds, exchanges int, extra ...string) (r report, err error) {
	arguments := []string{
		"-4", "-1", "-l", s.relay.String(), "-R", strconv.Itoa(clients), "-r", strconv.Itoa(rate), "-p", strconv.Itoa(seconds),
		"-W", "500000", // µs to wait for the last answers
	}
	if exchanges > 0 {
		arguments = append(arguments, "-n", strconv.Itoa(exchanges))
	}
	cmd := exec.Command("perfdhcp", append(append(arguments, extra...), s.server.String())...)
	cmd.Env = environment()
	var output, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &problems
	err = amongClients(cmd.Run)
	const incomplete = 3 // "one or more exchanges are not successfully completed"
	if failed := new(exec.ExitError); err != nil && !(errors.As(err, &failed) && failed.ExitCode() == incomplete) {
		return r, fmt.Errorf("perfdhcp: %w: %s%s", err, output.Bytes(), problems.Bytes())
	}
	return parseReport(output.String())
}

// parseReport reads the report of perfdhcp(8).
func parseReport(text string) (r report, err error) {
	sent, received, times := &r.discovers, &r.offers, &r.offerTimes
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "***") && strings.Contains(line, "REQUEST-ACK") {
			sent, received, times = &r.requests, &r.acks, &r.ackTimes
		} else if strings.HasPrefix(line, "***") {
			sent, received, times = &r.discovers, &r.offers, &r.offerTimes
		}
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "sent packets":
			*sent, err = strconv.Atoi(value)
		case "received packets":
			*received, err = strconv.Atoi(value)
		case "sent / received":
			var took time.Duration
			took, err = parseTimes(value)
			*times = append(*times, took)
		}
		if err != nil {
			return r, fmt.Errorf("perfdhcp says %q: %w", line, err)
		}
	}
	if r.discovers == 0 {
		return r, fmt.Errorf("perfdhcp sent nothing: %s", text)
	}
	slices.Sort(r.offerTimes)
	slices.Sort(r.ackTimes)
	return r, nil
}

// parseTimes returns the difference of two times, "000001.000123 / 000001.000456".
func parseTimes(text string) (time.Duration, error) {
	from, to, _ := strings.Cut(text, " / ")
	const layout = "150405.999999"
	began, err := time.Parse(layout, from)
	if err != nil {
		return 0, err
	}
	ended, err := time.Parse(layout, to)
	return ended.Sub(began), err
}

// complete says whether less than one in a hundred packets was lost, besides one: perfdhcp does not wait for the answer to a DHCPREQUEST
// that it sends at the very end.
func (r report) complete() bool {
	const allowed = 1
	tolerable := func(lost, sent int) bool { return 100*(lost-allowed) < sent }
	return r.acks > 0 && tolerable(r.discovers-r.offers, r.discovers) && tolerable(r.requests-r.acks, r.requests)
}
