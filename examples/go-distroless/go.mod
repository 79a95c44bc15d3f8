module example.com/greeting

go 1.17

require github.com/google/uuid v1.6.0
