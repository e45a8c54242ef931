package main

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Memory goes back when work is over, and while requests come; and then no timer is left.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var times []time.Duration
		m := newMemory(func() { times = append(times, time.Since(start).Round(time.Second)) })
		check := func(want string) {
			t.Helper()
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := fmt.Sprint(times); got != want {
				t.Errorf("memory went back after %s, want %s", got, want)
			}
			start, times = time.Now(), nil
		}
		check("[3s 40s]")

		for range 10 {
			m.changed()
			time.Sleep(time.Second)
		}
		check("[12s 49s]")

		for range 30_000 {
			m.served()
			time.Sleep(time.Millisecond)
		}
		check("[20s 40s]")
	})
}
