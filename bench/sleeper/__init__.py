"""bench.sleeper"""
